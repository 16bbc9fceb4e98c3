/** Where the guest finds a device: verified from the VMM's replies, never predicted. */
export interface GuestAddress {
  /** PCI address in the guest, `0000:01:00.0`, once the guest has numbered its buses. */
  pci?: string;
  /** PCI path, root-most slot first, `02/00`. */
  pciPath?: string;
  /** `<channel>:<scsi-id>:<lun>` on the controller whose PCI address is in `pci`. */
  scsi?: string;
  /** Channel address in the guest, `0.0.0005`. */
  ccw?: string;
  /** The guest's node of an nvdimm, `/dev/pmem0`, where the VMM numbers them. */
  pmem?: string;
  /** What the guest mounts a shared file system by. */
  tag?: string;
  /** The hardware address of a network card. */
  mac?: string;
  /** The identity that we planted, ≤ 20 characters. */
  serial?: string;
  /** The udev link to look for in the guest, made from the serial. */
  byId?: string;
}
