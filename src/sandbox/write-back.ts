import type { AttachmentRecord } from '../api/attachment.ts';
import type { BlockDrive } from '../api/device-info.ts';
import type { Device } from '../api/device.ts';
import type { GuestAddress } from '../api/guest-address.ts';
import { PciPath } from '../api/pci-path.ts';
import { unitsOf } from '../api/plan.ts';

/**
 * Writes what the VMM said of an attachment into the device's payload: addresses for the guest's
 * agent, and the buses of a group. What the VMM did not say stays empty; nothing is predicted.
 */
export function writeBack(device: Device, attachment: AttachmentRecord): void {
  const payload = device.getDeviceInfo();
  switch (payload.type) {
    case 'generic':
      return;
    case 'block':
      if (payload.drive !== null) writeDrive(payload.drive, attachment);
      return;
    case 'vfio': {
      const units = unitsOf(attachment);
      for (const [index, member] of payload.devices.entries()) {
        const place = units[index]?.place;
        member.Bus = place?.transport === 'pci' ? place.bus : '';
      }
      return;
    }
    case 'vhost-user-blk-pci':
    case 'vhost-user-scsi-pci':
    case 'virtio-net-pci':
    case 'vhost-user-fs-pci':
      if (payload.attrs !== null) payload.attrs.PCIPath = pciPathOf(attachment.guest);
  }
}

function writeDrive(drive: BlockDrive, { guest, place, host }: AttachmentRecord): void {
  drive.PCIPath = place.transport === 'pci' ? pciPathOf(guest) : PciPath.nil;
  drive.SCSIAddr = place.transport === 'scsi' ? `${place.scsiId}:${place.lun}` : '';
  drive.DevNo = guest.ccw ?? '';
  drive.NvdimmID = /^\/dev\/pmem(\d+)$/.exec(guest.pmem ?? '')?.[1] ?? '';
  if (host.kind === 'block') drive.Format = host.layers[0].format;
}

/** v1's paths have no functions: behind `02.1` there is nothing that such a path could say. */
function pciPathOf({ pciPath = '' }: GuestAddress): PciPath {
  return pciPath.includes('.') ? PciPath.nil : PciPath.parse(pciPath);
}
