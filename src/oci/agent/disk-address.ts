import type { BlockDrive, VhostUserDeviceAttrs } from '../../api/device-info.ts';
import {
  Nvdimm,
  VirtioBlock,
  VirtioBlockCCW,
  VirtioMmio,
  VirtioSCSI,
  type BlockDriver,
} from '../../api/device-type.ts';
import { addressUnknown, notAttached } from './guest-address-errors.ts';
import type { AgentDiskType } from './messages.ts';

/**
 * `verified`: only what the VMM was told or has answered. `predicted`: where a virtio-blk disk
 * has no PCI path, v1's guess at its name in the guest, `/dev/vd<x>`; Cloud Hypervisor's disks
 * have nothing else.
 */
export type Addresses = 'verified' | 'predicted';

/** Where the agent finds a disk: by `id`, or when that is empty by the node `vmPath`. */
export interface DiskAddress {
  readonly type: AgentDiskType;
  readonly id: string;
  readonly vmPath: string;
}

/**
 * Where the agent finds `drive`, by the driver that it was plugged as (v1's
 * `appendBlockDevice`).
 *
 * For virtio-mmio the guessed name is all there is, so it is always taken.
 * @throws VmplugError `guest-address-unknown` that names the device and what is missing
 */
export function diskAddress(
  drive: BlockDrive,
  driver: BlockDriver,
  containerPath: string,
  addresses: Addresses = 'verified',
): DiskAddress {
  const required = (field: 'DevNo' | 'SCSIAddr' | 'VirtPath' | 'NvdimmID'): string => {
    if (drive[field] === '') throw addressUnknown({ containerPath, device: drive.ID }, field);
    return drive[field];
  };
  switch (driver) {
    case VirtioMmio:
      return { type: 'mmioblk', id: required('VirtPath'), vmPath: drive.VirtPath };
    case VirtioBlockCCW:
      return { type: 'blk-ccw', id: required('DevNo'), vmPath: '' };
    case VirtioBlock:
      return pciDiskAddress(drive, containerPath, addresses);
    case VirtioSCSI:
      return { type: 'scsi', id: required('SCSIAddr'), vmPath: '' };
    case Nvdimm:
      return { type: 'nvdimm', id: '', vmPath: `/dev/pmem${required('NvdimmID')}` };
  }
}

function pciDiskAddress(drive: BlockDrive, containerPath: string, addresses: Addresses): DiskAddress {
  if (drive.PCIPath.isNil() && (addresses === 'verified' || drive.VirtPath === '')) {
    throw addressUnknown({ containerPath, device: drive.ID }, 'PCIPath', drive.VirtPath);
  }
  return { type: 'blk', id: drive.PCIPath.toString(), vmPath: drive.VirtPath };
}

/**
 * Where the guest finds a vhost-user disk. Nothing could stand in for its PCI path.
 * @throws VmplugError `device-not-attached`, `guest-address-unknown`
 */
export function vhostUserPciPath(attrs: VhostUserDeviceAttrs | null, containerPath: string): string {
  if (attrs === null) throw notAttached(containerPath);
  if (attrs.PCIPath.isNil()) throw addressUnknown({ containerPath, device: attrs.DevID }, 'PCIPath');
  return attrs.PCIPath.toString();
}
