import { slotText, type CcwPlace, type PciPlace, type Place } from '../../api/place.ts';
import type { PciBus, SimulatedBus } from './simulated-bus.ts';

/** A place of a kind that QEMU has. */
export type SimulatedPlace = Exclude<Place, { readonly transport: 'slot' }>;

/** Device numbers in a subchannel set of the channel subsystem. */
const deviceNumbers = 0x10000;

/** How many places a bus has. */
export function capacityOf(bus: SimulatedBus): number {
  switch (bus.transport) {
    case 'pci':
      return bus.slots.length;
    case 'scsi':
      return bus.units;
    case 'ccw':
      return deviceNumbers;
    case 'memory':
      return bus.slots;
    case 'ap':
      return 1;
  }
}

/** Every place on a bus, best first; made while they are looked at, because a bus can have 65536. */
export function placesOf(bus: SimulatedBus, index: number): Iterable<SimulatedPlace> {
  return {
    *[Symbol.iterator]() {
      for (let nth = 0; nth < capacityOf(bus); nth += 1) yield placeAt(bus, index, nth);
    },
  };
}

/** The `nth` place of the bus that is at `index` in its machine. */
export function placeAt(bus: SimulatedBus, index: number, nth: number): SimulatedPlace {
  switch (bus.transport) {
    case 'pci':
      return pciPlaceAt(bus, index, bus.slots[nth] ?? 0);
    case 'scsi':
      return {
        transport: 'scsi',
        bus: bus.name,
        channel: 0,
        scsiId: 0,
        lun: nth,
        controller: bus.controller,
        unplug: 'immediate',
      };
    case 'ccw':
      return ccwPlace(bus.name, 0, nth);
    case 'memory':
      return { transport: 'memory', bus: bus.name, slot: nth, unplug: 'acpi' };
    case 'ap':
      return { transport: 'ap', bus: bus.name, unplug: 'immediate' };
  }
}

/** A slot of the PCI bus that is at `index` in its machine. */
export function pciPlaceAt({ name, unplug }: PciBus, index: number, slot: number): PciPlace {
  const path = [slotText(index + 1), slotText(slot)];
  return { transport: 'pci', bus: name, slot, path, unplug };
}

/** A device number in a subchannel set. The VMM removes a channel device at once. */
export function ccwPlace(bus: string, set: number, number: number): CcwPlace {
  const devno = `fe.${set.toString(16)}.${number.toString(16).padStart(4, '0')}`;
  return { transport: 'ccw', bus, devno, unplug: 'immediate' };
}
