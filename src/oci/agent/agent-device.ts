import type { BlockDrive, DevicePayload } from '../../api/device-info.ts';
import type { BlockDriver } from '../../api/device-type.ts';
import { diskAddress, vhostUserPciPath, type Addresses } from './disk-address.ts';
import { notAttached } from './guest-address-errors.ts';
import type { AgentDevice } from './messages.ts';
import { vfioDevice, type Kata2Vfio } from './vfio-device.ts';

export interface AgentOptions {
  /** `verified` when left out. */
  readonly addresses?: Addresses;
  /** `v1` when left out: the agent is told nothing of VFIO devices. */
  readonly vfio?: 'v1' | Kata2Vfio;
}

/**
 * What the agent is told of one device of a container; `undefined` for a kind of which it is
 * told nothing (v1's `appendDevices`). An nvdimm is told of as a storage only.
 * @param driver what block devices are plugged as
 * @throws VmplugError `device-not-attached`, `guest-address-unknown`, `unsupported`
 */
export function agentDevice(
  payload: DevicePayload,
  driver: BlockDriver,
  containerPath: string,
  options: AgentOptions = {},
): AgentDevice | undefined {
  switch (payload.type) {
    case 'block':
      return blockDevice(payload.drive, driver, containerPath, options.addresses);
    case 'vhost-user-blk-pci':
      return message('blk', vhostUserPciPath(payload.attrs, containerPath), '', containerPath);
    case 'vfio':
      return options.vfio === undefined || options.vfio === 'v1'
        ? undefined
        : vfioDevice(payload.devices, containerPath, options.vfio);
    case 'generic':
    case 'vhost-user-scsi-pci':
    case 'virtio-net-pci':
    case 'vhost-user-fs-pci':
      return undefined;
  }
}

function blockDevice(
  drive: BlockDrive | null,
  driver: BlockDriver,
  containerPath: string,
  addresses: Addresses | undefined,
): AgentDevice | undefined {
  if (drive === null) throw notAttached(containerPath);
  if (drive.Pmem) return undefined;
  const { type, id, vmPath } = diskAddress(drive, driver, containerPath, addresses);
  return message(type, id, vmPath, containerPath);
}

function message(type: AgentDevice['type'], id: string, vmPath: string, containerPath: string): AgentDevice {
  return { id, type, vm_path: vmPath, container_path: containerPath, options: [] };
}
