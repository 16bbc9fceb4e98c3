/** How a device at a place is removed, which decides what a silent guest means. */
export type UnplugMethod =
  /** The guest is asked over ACPI; requests may be repeated on versions that allow it. */
  | 'acpi'
  /** The port's attention button is pressed; a second press within 5 s would cancel the first. */
  | 'pcie-native'
  /** The VMM removes the device at once and tells the guest. */
  | 'immediate';

/** A slot on a PCI bus. */
export interface PciPlace {
  readonly transport: 'pci';
  /** The VMM's name of the bus. */
  readonly bus: string;
  readonly slot: number;
  /** From the root bus down to the device: slots, `02`, with the function where it isn't 0, `02.1`. */
  readonly path: readonly string[];
  readonly unplug: UnplugMethod;
}

/** A logical unit on a SCSI controller. */
export interface ScsiPlace {
  readonly transport: 'scsi';
  readonly bus: string;
  readonly channel: number;
  readonly scsiId: number;
  readonly lun: number;
  /** The VMM's id of the controller; empty when it has none. */
  readonly controller: string;
  readonly unplug: UnplugMethod;
}

/** A device number on the channel subsystem of s390x. */
export interface CcwPlace {
  readonly transport: 'ccw';
  /** The VMM's name of the bus. */
  readonly bus: string;
  /** As the VMM is given it: `fe.0.0005`. The guest sees `0.0.0005`. */
  readonly devno: string;
  readonly unplug: UnplugMethod;
}

/** A slot for a memory device: an nvdimm. What is in it stays until the VM ends. */
export interface MemoryPlace {
  readonly transport: 'memory';
  readonly bus: string;
  readonly slot: number;
  readonly unplug: UnplugMethod;
}

/** The one set of crypto adapters (AP) of a guest on s390x. */
export interface ApPlace {
  readonly transport: 'ap';
  readonly bus: string;
  readonly unplug: UnplugMethod;
}

/** One of the drives that a VMM was started with, whose file can be exchanged. */
export interface SlotPlace {
  readonly transport: 'slot';
  /** Firecracker: the folder of the placeholders on this host. ACRN: the name of the VM. */
  readonly bus: string;
  /** The index in the drive's name. */
  readonly slot: number;
  readonly unplug: UnplugMethod;
}

/** Where a device can be plugged in a VMM. */
export type Place = PciPlace | ScsiPlace | CcwPlace | MemoryPlace | ApPlace | SlotPlace;

export const placeTransports: readonly Place['transport'][] = ['pci', 'scsi', 'ccw', 'memory', 'ap', 'slot'];

/** A bus as the VMM describes it now. */
export interface Bus {
  readonly name: string;
  readonly transport: Place['transport'];
  /** `root-port`, `pci`, `pci-bridge`, `scsi` and the like, for people. */
  readonly kind: string;
  /** Why no device can be plugged here while the VM runs; `undefined` when it can. */
  readonly refuses?: string;
  /** Every place on it, the taken ones too, best first. */
  readonly places: Iterable<Place>;
  /** How many places there are. */
  readonly capacity: number;
  /** Keys of the places that the VMM uses, with its id of what is there (empty when it has none). */
  readonly taken: ReadonlyMap<string, string>;
}

/** `1f`: a slot as QEMU and v1 write it. */
export function slotText(slot: number): string {
  return slot.toString(16).padStart(2, '0');
}

/** The name of a place, unique in one VM; what a claim in the store is made on. */
export function placeKey(place: Place): string {
  switch (place.transport) {
    case 'pci':
      return `pci:${place.bus}:${slotText(place.slot)}`;
    case 'scsi':
      return `scsi:${place.bus}:${place.channel}:${place.scsiId}:${place.lun}`;
    case 'ccw':
      return `ccw:${place.devno}`;
    case 'memory':
      return `memory:${place.slot}`;
    case 'ap':
      return `ap:${place.bus}`;
    case 'slot':
      return `slot:${place.slot}`;
  }
}
