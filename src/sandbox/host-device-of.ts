import { basename } from 'node:path';
import type { HostHooks } from '../api/config.ts';
import type { Device } from '../api/device.ts';
import {
  BlockDriverOption,
  Nvdimm,
  VirtioBlock,
  VirtioBlockCCW,
  VirtioMmio,
  VirtioSCSI,
  type BlockDriver,
  type DeviceDriver,
} from '../api/device-type.ts';
import {
  VFIODeviceAPType,
  VFIODeviceNormalType,
  type BlockDrive,
  type VFIODev,
  type VhostUserDeviceAttrs,
} from '../api/device-info.ts';
import { VmplugError } from '../api/errors.ts';
import type { HostDevice, HostVhostUser, ImageFormat } from '../api/host-device.ts';
import type { HostPaths } from '../host/host-paths.ts';
import { resolveDisk } from '../host/disk/resolve-disk.ts';
import { resolvePmem } from '../host/pmem/resolve-pmem.ts';
import { resolveVfioGroup } from '../host/vfio/resolve-vfio.ts';
import { resolveVhostUser } from '../host/vhost-user/resolve-vhost-user.ts';

/** What a managed device is on this host, and as what it is plugged. */
export interface Pluggable {
  readonly driver: DeviceDriver;
  readonly resolve: (
    recordedFormat: (key: string) => ImageFormat | undefined,
    signal?: AbortSignal,
  ) => Promise<HostDevice>;
}

/** Where facts of this host are read: its own sysfs and proc by default. */
export interface HostTrees {
  readonly hooks?: HostHooks;
  readonly paths?: HostPaths;
}

/**
 * What a receiver has to plug for `device`, from its payload; `undefined` for a generic device,
 * which is not passed to the guest.
 * @param blockDriver for block devices that don't say which driver they want
 * @throws VmplugError `invalid-argument` when the device has no payload
 */
export function pluggable(
  device: Device,
  blockDriver: BlockDriver,
  trees: HostTrees = {},
): Pluggable | undefined {
  const payload = device.getDeviceInfo();
  switch (payload.type) {
    case 'generic':
      return undefined;
    case 'block':
      if (payload.drive === null) throw withoutPayload(device);
      return pluggableDrive(payload.drive, wantedDriver(device) ?? blockDriver, trees);
    case 'vfio': {
      const [first] = payload.devices;
      if (first === undefined) throw withoutPayload(device);
      const driver = first.Type === VFIODeviceAPType ? 'vfio-ap' : 'vfio-pci';
      const source = device.getHostPath() || sourceOf(first);
      return { driver, resolve: async (_, signal) => resolveVfioGroup(source, { ...trees, signal }) };
    }
    case 'vhost-user-blk-pci':
      if (payload.attrs === null) throw withoutPayload(device);
      return pluggableSocket(payload.attrs, trees);
    case 'vhost-user-scsi-pci':
    case 'virtio-net-pci':
    case 'vhost-user-fs-pci':
      return pluggableSocket(payload.attrs, trees);
  }
}

/** A group by one of its members: of what v1 saved, the path is not known. */
function sourceOf({ Type, BDF, SysfsDev }: VFIODev): string {
  if (Type === VFIODeviceNormalType) return `vfio:${BDF}`;
  return `${Type === VFIODeviceAPType ? 'vfio-ap' : 'mdev'}:${basename(SysfsDev)}`;
}

function pluggableDrive(
  { File, ReadOnly, ShareRW, Pmem }: BlockDrive,
  driver: BlockDriver,
  { paths }: HostTrees,
): Pluggable {
  if (Pmem || driver === Nvdimm) {
    return {
      driver: Nvdimm,
      resolve: async (_, signal) => resolvePmem(File, { readOnly: ReadOnly, paths, signal }),
    };
  }
  // v1 says `raw` of every drive without having looked, so the image itself is asked.
  return {
    driver,
    resolve: async (recordedFormat, signal) =>
      resolveDisk(File, {
        readOnly: ReadOnly,
        shareRw: ShareRW,
        force: false,
        recordedFormat,
        paths,
        signal,
      }),
  };
}

function pluggableSocket(attrs: VhostUserDeviceAttrs, { paths }: HostTrees): Pluggable {
  const { SocketPath, MacAddress, Tag, CacheSize } = attrs;
  return {
    driver: attrs.Type,
    resolve: async (_, signal) =>
      resolveVhostUser(socketKinds[attrs.Type], SocketPath, {
        paths,
        signal,
        ...(MacAddress === '' ? {} : { mac: MacAddress }),
        ...(Tag === '' ? {} : { tag: Tag }),
        ...(CacheSize === 0 ? {} : { cacheSize: CacheSize }),
      }),
  };
}

const socketKinds: Readonly<Record<VhostUserDeviceAttrs['Type'], HostVhostUser['kind']>> = {
  'vhost-user-blk-pci': 'vhost-user-blk',
  'vhost-user-scsi-pci': 'vhost-user-scsi',
  'virtio-net-pci': 'vhost-user-net',
  'vhost-user-fs-pci': 'vhost-user-fs',
};

const blockDrivers: readonly BlockDriver[] = [VirtioBlock, VirtioSCSI, VirtioBlockCCW, VirtioMmio, Nvdimm];

/** The driver that the device's manager chose for it. */
function wantedDriver(device: Device): BlockDriver | undefined {
  const wanted = device.save().DriverOptions?.[BlockDriverOption];
  return blockDrivers.find((driver) => driver === wanted);
}

function withoutPayload(device: Device): VmplugError {
  return new VmplugError('invalid-argument', {
    action: 'plug the device',
    subject: device.deviceID(),
    reason: `this ${device.deviceType()} device says nothing of what is to be plugged`,
    hint: 'attach it through its manager, which fills that in before the receiver is called',
  });
}
