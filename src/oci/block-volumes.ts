import { posix } from 'node:path';
import type { DeviceInfo } from '../api/device-info.ts';
import { VmplugError } from '../api/errors.ts';
import { deviceLogger } from '../api/logger.ts';
import type { DeviceNumber } from '../host/device-number.ts';
import { errnoOf } from '../host/source-errors.ts';
import { blockRequest } from './block-request.ts';
import type { Mount } from './container.ts';
import type { Holdings } from './holdings.ts';

/** What is found at the source of a mount. */
export interface MountSource {
  /** When it is a block node: its own number. */
  readonly node?: DeviceNumber | undefined;
  /** Of the file system that it lies on. */
  readonly device: DeviceNumber;
}

/** The questions about the host that come up for volumes. */
export interface VolumeProbe {
  /** Follows symbolic links; rejects with a `NodeJS.ErrnoException` or a `VmplugError`. */
  stat(source: string): Promise<MountSource>;
  /** The request for the pmem file that is mounted at `source`; rejects when it is none. */
  pmemDeviceInfo(source: string, destination: string): Promise<DeviceInfo>;
}

/** Major of loop devices; a pmem file can only be mounted through one. */
const loopMajor = 7;

/** A bind mount that the guest may be given: not of `/proc`, `/sys` or what is below them. */
function isGuestMount({ Type, Source }: Mount): boolean {
  return Type === 'bind' && !/^\/(proc|sys)(\/|$)/.test(posix.normalize(Source));
}

/** The mounts that are left to be shared with the guest: bind mounts that are no volume on a disk. */
export function sharedMounts(mounts: readonly Mount[]): Mount[] {
  return mounts.filter((mount) => isGuestMount(mount) && mount.BlockDeviceID === '');
}

/**
 * The mounts of a container, those whose source is a disk with its id (v1's
 * `createBlockDevices`); only for an agent and a VMM that support it, and when
 * `disable_block_device_use` is not set. A disk that the manager refuses is logged, and its
 * mount is left as it is.
 * @throws VmplugError `source-not-found`, `source-unsuitable` that name the source and its
 * destination; `device-not-found` for a mount with the id of a disk that is not known
 */
export async function holdVolumes(
  holdings: Holdings,
  mounts: readonly Mount[],
  probe: VolumeProbe,
): Promise<Mount[]> {
  const held: Mount[] = [];
  for (const mount of mounts) {
    const { BlockDeviceID: ID, Destination: ContainerPath } = mount;
    if (ID !== '') holdings.share('volume', { ID, ContainerPath, FileMode: 0, UID: 0, GID: 0 });
    const info = await volumeInfo(mount, probe);
    held.push(info === undefined ? mount : await holdVolume(holdings, mount, info));
  }
  return held;
}

async function holdVolume(holdings: Holdings, mount: Mount, info: DeviceInfo): Promise<Mount> {
  try {
    const { device } = await holdings.take('volume', info);
    return { ...mount, BlockDeviceID: device.ID };
  } catch (error) {
    deviceLogger().warn('the volume is not given as a disk', { error, source: mount.Source });
    return mount;
  }
}

/** The request for the disk that a mount's source is; `undefined` for other mounts. */
async function volumeInfo(mount: Mount, probe: VolumeProbe): Promise<DeviceInfo | undefined> {
  if (mount.BlockDeviceID !== '' || !isGuestMount(mount)) return undefined;
  const { node, device } = await statSource(mount, probe);
  if (node !== undefined) return blockRequest(mount.Source, mount.Destination, node, mount.ReadOnly);
  return device.major === loopMajor ? await pmemInfo(mount, probe) : undefined;
}

async function pmemInfo(mount: Mount, probe: VolumeProbe): Promise<DeviceInfo | undefined> {
  try {
    const info = await probe.pmemDeviceInfo(mount.Source, mount.Destination);
    return { ...info, ReadOnly: mount.ReadOnly };
  } catch (error) {
    deviceLogger().debug('the source is no pmem file', { error, source: mount.Source });
    return undefined;
  }
}

async function statSource(mount: Mount, probe: VolumeProbe): Promise<MountSource> {
  try {
    return await probe.stat(mount.Source);
  } catch (error) {
    const absent = absentCodes.includes(errnoOf(error) ?? '');
    throw new VmplugError(absent ? 'source-not-found' : 'source-unsuitable', {
      action: 'mount',
      subject: mount.Source,
      reason: `the source of the mount at ${mount.Destination} ${
        absent ? 'does not exist' : `cannot be looked at: ${String(error)}`
      }`,
      hint: "make it, or take the mount out of the container's spec",
      cause: error,
      facts: { destination: mount.Destination },
    });
  }
}

const absentCodes: readonly string[] = ['ENOENT', 'ENOTDIR', 'source-not-found'];
