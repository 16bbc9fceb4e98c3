import type { BlockDrive, DevicePayload } from '../../api/device-info.ts';
import { Nvdimm, type BlockDriver } from '../../api/device-type.ts';
import type { Mount } from '../container.ts';
import type { AgentOptions } from './agent-device.ts';
import { diskAddress, vhostUserPciPath } from './disk-address.ts';
import { notAttached, unsupportedMessage } from './guest-address-errors.ts';
import type { AgentStorage } from './messages.ts';

/**
 * What the agent is to mount for a volume on a disk (v1's `handleDeviceBlockVolume`,
 * `handleVhostUserBlkVolume`).
 * @throws VmplugError `device-not-attached`, `guest-address-unknown`; `unsupported` for what is
 * no disk, without which the container would start and lack its volume
 */
export function agentVolume(
  payload: DevicePayload,
  driver: BlockDriver,
  mount: Pick<Mount, 'Destination' | 'Type' | 'Options'>,
  options: AgentOptions = {},
): AgentStorage {
  const { Destination, Type, Options } = mount;
  if (payload.type === 'block') {
    if (payload.drive?.Pmem === true) return pmemVolume(payload.drive, mount);
    return {
      ...disk(payload.drive, driver, Destination, options),
      driver_options: [],
      fstype: Type,
      options: Options,
      mount_point: Destination,
    };
  }
  if (payload.type === 'vhost-user-blk-pci') {
    return {
      driver: 'blk',
      driver_options: [],
      source: vhostUserPciPath(payload.attrs, Destination),
      fstype: 'bind',
      options: ['bind'],
      mount_point: Destination,
    };
  }
  throw unsupportedMessage(
    { containerPath: Destination, device: payload.type },
    `the volume is on a device of the type ${payload.type}, which is no disk`,
    'give the volume as a shared directory',
  );
}

/**
 * What the agent is to mount as the root file system of a container (v1's
 * `buildContainerRootfs`). For `xfs` the option `nouuid` is added: it refuses a second file
 * system with the same UUID.
 * @throws VmplugError `device-not-attached`, `guest-address-unknown`; `unsupported` for what is
 * no disk, and for an nvdimm
 */
export function agentRootfs(
  payload: DevicePayload,
  driver: BlockDriver,
  containerId: string,
  fsType: string,
  options: AgentOptions = {},
): AgentStorage {
  const mountPoint = containerDirectory(containerId);
  if (payload.type !== 'block') {
    throw unsupportedMessage(
      { containerPath: mountPoint, device: payload.type },
      `the root file system is on a device of the type ${payload.type}, which is no disk`,
      'give it as a disk or a shared directory',
    );
  }
  if (payload.drive?.Pmem === true) throw nvdimmUnsupported(payload.drive, mountPoint);
  return {
    ...disk(payload.drive, driver, mountPoint, options),
    driver_options: [],
    fstype: fsType,
    options: fsType === 'xfs' ? ['nouuid'] : [],
    mount_point: mountPoint,
  };
}

/** Where the guest has what a container shares with the host. */
export function containerDirectory(containerId: string): string {
  return `/run/kata-containers/shared/containers/${containerId}`;
}

/** The first part of a storage: by what driver the agent finds the disk, and by what address. */
function disk(
  drive: BlockDrive | null,
  driver: BlockDriver,
  containerPath: string,
  options: AgentOptions,
): Pick<AgentStorage, 'driver' | 'source'> {
  if (drive === null) throw notAttached(containerPath);
  if (driver === Nvdimm) throw nvdimmUnsupported(drive, containerPath);
  const { type, id, vmPath } = diskAddress(drive, driver, containerPath, options.addresses);
  return { driver: type, source: id === '' ? vmPath : id };
}

function pmemVolume(drive: BlockDrive, mount: Pick<Mount, 'Destination' | 'Type'>): AgentStorage {
  return {
    driver: 'nvdimm',
    driver_options: [],
    source: diskAddress(drive, Nvdimm, mount.Destination).vmPath,
    fstype: drive.Format === '' ? mount.Type : drive.Format,
    options: ['dax'],
    mount_point: mount.Destination,
  };
}

function nvdimmUnsupported(drive: BlockDrive, containerPath: string): Error {
  return unsupportedMessage(
    { containerPath, device: drive.ID },
    'an nvdimm is told of only as a volume made from a pmem file',
    'plug it as virtio-blk or virtio-scsi',
  );
}
