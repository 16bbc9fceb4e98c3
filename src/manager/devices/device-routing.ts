import type { DeviceHost, VhostUserStore } from '../../api/device-host.ts';
import type { DeviceInfo } from '../../api/device-info.ts';
import {
  BlockDriverOption,
  DeviceBlock,
  DeviceGeneric,
  DeviceVFIO,
  Nvdimm,
  VhostUserBlk,
  VhostUserFS,
  VhostUserNet,
  VhostUserSCSI,
  VirtioBlock,
  VirtioBlockCCW,
  VirtioMmio,
  VirtioSCSI,
  type BlockDriver,
} from '../../api/device-type.ts';
import { deviceLogger } from '../../api/logger.ts';
import { BlockDevice } from '../../devices/managed/block-device.ts';
import type { AnyDevice } from '../../devices/managed/counted-device.ts';
import { GenericDevice } from '../../devices/managed/generic-device.ts';
import { isBlock, isVFIO, isVhostUserBlk, isVhostUserSCSI } from '../../devices/managed/predicates.ts';
import { VFIODevice } from '../../devices/managed/vfio-device.ts';
import { VhostUserBlkDevice } from '../../devices/managed/vhost-user-blk-device.ts';
import { VhostUserFSDevice } from '../../devices/managed/vhost-user-fs-device.ts';
import { VhostUserNetDevice } from '../../devices/managed/vhost-user-net-device.ts';
import { VhostUserSCSIDevice } from '../../devices/managed/vhost-user-scsi-device.ts';

/** What the kind of a new device depends on, besides its request. */
export interface Routing {
  readonly blockDriver: BlockDriver;
  readonly vhostUserStore: VhostUserStore;
  readonly host: DeviceHost;
}

const blockDrivers: readonly BlockDriver[] = [VirtioSCSI, VirtioBlock, VirtioBlockCCW, VirtioMmio, Nvdimm];

/** As in v1, a name that is none is the default, `virtio-scsi`. */
export function knownBlockDriver(name: string | undefined): BlockDriver {
  return blockDrivers.find((driver) => driver === name) ?? VirtioSCSI;
}

/**
 * The device that a request with its path resolved is for, by v1's rules (contract 4.2). Majors
 * 241 and 242 mean vhost-user only where there is a store of such nodes: the kernel may give them
 * to anything else (W05).
 */
export function makeDevice(info: DeviceInfo, { blockDriver, vhostUserStore, host }: Routing): AnyDevice {
  if (isVFIO(info.HostPath)) return new VFIODevice(info, host);
  const disk = { ...info, DriverOptions: { ...info.DriverOptions, [BlockDriverOption]: blockDriver } };
  if (vhostUserStore.enabled && isVhostUserBlk(info)) return new VhostUserBlkDevice(disk);
  if (vhostUserStore.enabled && isVhostUserSCSI(info)) return new VhostUserSCSIDevice(info, host);
  if (isBlock(info)) return new BlockDevice(disk);
  deviceLogger().info('the device is not passed to the guest', { path: info.HostPath, id: info.ID });
  return new GenericDevice(info);
}

/** An empty device for a saved one of `type`; `undefined` for a type that is not known. */
export function emptyDevice(type: string, host: DeviceHost): AnyDevice | undefined {
  switch (type) {
    case DeviceGeneric:
      return new GenericDevice(null);
    case DeviceBlock:
      return new BlockDevice(null);
    case DeviceVFIO:
      return new VFIODevice(null, host);
    case VhostUserBlk:
      return new VhostUserBlkDevice(null);
    case VhostUserSCSI:
      return new VhostUserSCSIDevice(null, host);
    case VhostUserNet:
      return new VhostUserNetDevice(null, host);
    case VhostUserFS:
      return new VhostUserFSDevice(null, host);
    default:
      return undefined;
  }
}
