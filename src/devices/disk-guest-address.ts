import type { GuestAddress } from '../api/guest-address.ts';
import type { Place } from '../api/place.ts';

/** Where udev in the guest links a disk, by the serial that was planted, and where its place is. */
export function diskGuestAddress(place: Place, serial: string): GuestAddress {
  switch (place.transport) {
    case 'pci':
      return { serial, byId: virtioLink(serial), pciPath: place.path.join('/') };
    case 'ccw':
      return { serial, byId: virtioLink(serial), ccw: channelAddress(place.devno) };
    case 'scsi':
      return {
        serial,
        byId: `/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_${serial}`,
        scsi: `${place.channel}:${place.scsiId}:${place.lun}`,
      };
    case 'memory':
    case 'ap':
    case 'slot':
      return {};
  }
}

/** The link that udev makes for a virtio disk with a serial. */
export function virtioLink(serial: string): string {
  return `/dev/disk/by-id/virtio-${serial}`;
}

/** `0.0.0005` from `fe.0.0005`: the guest numbers the virtual channel subsystem 0. */
function channelAddress(devno: string): string {
  return devno.replace(/^fe\./, '0.');
}
