import type { DeviceInfo } from '../api/device-info.ts';
import type { DeviceManager } from '../api/device-manager.ts';
import type { DeviceReceiver } from '../api/device-receiver.ts';
import { holdVolumes, type VolumeProbe } from './block-volumes.ts';
import type { BlockRootfs, ContainerDevice, Mount, SavedContainerDevices } from './container.ts';
import { Holdings, type Holding } from './holdings.ts';
import { isDeferred, type LargeBars } from './large-bars.ts';
import { isRemovableMedia } from './removable-media.ts';
import { holdRootfs, noBlockRootfs, type RootfsProbe } from './rootfs-device.ts';

/**
 * The devices of one container, from its making to its end (v1's
 * `virtcontainers/container.go`). In order: `createVolumes`, `createDevices`, `plugRootfs`,
 * `attachDevices`, `attachVolumes`, the request to the agent, `attachDeferred`; `stop`.
 *
 * When a step fails everything is given back, attachments and references, and the container
 * holds nothing (W48, W49, W51). The steps of one container are not run at the same time.
 */
export class ContainerDevices {
  readonly #id: string;
  readonly #holdings: Holdings;
  #rootfs: BlockRootfs = noBlockRootfs;

  constructor(container: { id: string; manager: DeviceManager; receiver: DeviceReceiver }) {
    this.#id = container.id;
    this.#holdings = new Holdings(container.id, container.manager, container.receiver);
  }

  /** Goes on with the devices that a container was saved with, all of them attached. */
  adopt({ DeviceMaps, Rootfs }: SavedContainerDevices): void {
    for (const device of DeviceMaps) this.#holdings.adopt('device', device, true);
    if (Rootfs.BlockDeviceID === '') return;
    this.#rootfs = Rootfs;
    const ID = Rootfs.BlockDeviceID;
    this.#holdings.adopt('rootfs', { ID, ContainerPath: '', FileMode: 0, UID: 0, GID: 0 }, true);
  }

  /** The devices that the container asked for, without its volumes. */
  get devices(): ContainerDevice[] {
    return this.#holdings.of('device').map(({ device }) => device);
  }

  /** What is to be saved: all that the container has at present. */
  save(): SavedContainerDevices {
    return {
      DeviceMaps: this.#holdings.of('device', 'volume').map(({ device }) => device),
      Rootfs: this.#holdings.of('rootfs').length > 0 ? this.#rootfs : noBlockRootfs,
    };
  }

  /**
   * Takes a reference on the disk of each bind mount whose source is one; returns the mounts
   * with their ids.
   * @throws VmplugError `source-not-found`, `source-unsuitable`
   */
  async createVolumes(mounts: readonly Mount[], probe: VolumeProbe): Promise<Mount[]> {
    return this.#holdings.orGiveBack(() => holdVolumes(this.#holdings, mounts, probe));
  }

  /**
   * Takes a reference on each device, but for CD-ROM and floppy drives: on those none is taken
   * that would have to be given back (W47).
   * @throws what `DeviceManager.newDevice` throws
   */
  async createDevices(infos: readonly DeviceInfo[]): Promise<ContainerDevice[]> {
    return this.#holdings.orGiveBack(async () => {
      const wanted = infos.filter((info) => !isRemovableMedia(info));
      for (const info of wanted) await this.#holdings.take('device', info);
      return this.devices;
    });
  }

  /**
   * Plugs the disk that the root file system at `path` is on, if it is a device-mapper one.
   * @throws what the probe, `DeviceManager.newDevice` and `.attachDevice` throw
   */
  async plugRootfs(path: string, probe: RootfsProbe): Promise<BlockRootfs> {
    this.#rootfs = await this.#holdings.orGiveBack(() => holdRootfs(this.#holdings, this.#id, path, probe));
    return this.#rootfs;
  }

  /**
   * Attaches the devices in the order of the list. On a q35 machine VFIO groups with large
   * BARs are left for {@link attachDeferred}.
   * @throws what `DeviceManager.attachDevice` and `isLargeBar` throw
   */
  async attachDevices(largeBars: LargeBars): Promise<void> {
    await this.#holdings.orGiveBack(async () => {
      for (const holding of this.#holdings.of('device')) {
        const device = this.#holdings.deviceOf(holding);
        if (device !== undefined && (await isDeferred(device, largeBars))) continue;
        await this.#holdings.attach(holding);
      }
    });
  }

  /** Attaches the disks of the volumes; throws what `DeviceManager.attachDevice` throws. */
  async attachVolumes(): Promise<void> {
    await this.#attachAll('volume');
  }

  /** Attaches the devices that `attachDevices` left, after the agent was asked to make the container. */
  async attachDeferred(): Promise<void> {
    await this.#attachAll('device');
  }

  /**
   * Detaches and gives back every device, the disks of volumes and of the root file system too.
   * It goes on past failures; what failed is still held, and is tried when it is called again.
   * @throws VmplugError with the code of the first failure, all of them as its cause (W50)
   */
  async stop(): Promise<void> {
    await this.#holdings.giveBack();
  }

  async #attachAll(role: Holding['role']): Promise<void> {
    await this.#holdings.orGiveBack(async () => {
      for (const holding of this.#holdings.of(role)) await this.#holdings.attach(holding);
    });
  }
}
