import { placeKey, slotText, type Bus, type Place, type UnplugMethod } from '../../api/place.ts';

/** A bus of a simulated machine. */
export type SimulatedBus =
  | {
      readonly transport: 'pci';
      readonly name: string;
      /** Slots that take devices; a root port has slot 0 only. */
      readonly slots: readonly number[];
      readonly unplug: UnplugMethod;
      readonly refuses?: string;
    }
  | {
      readonly transport: 'scsi';
      readonly name: string;
      readonly controller: string;
      /** Units on target 0. */
      readonly units: number;
      readonly refuses?: string;
    };

/** `count` root ports, `port0` and so on, each with one slot. */
export function rootPorts(count: number, unplug: UnplugMethod = 'acpi'): SimulatedBus[] {
  return Array.from({ length: count }, (_, index) => ({
    transport: 'pci',
    name: `port${index}`,
    slots: [0],
    unplug,
  }));
}

/** Every place on a bus, best first. */
export function placesOf(bus: SimulatedBus, index: number): Place[] {
  if (bus.transport === 'pci') {
    return bus.slots.map((slot) => ({
      transport: 'pci',
      bus: bus.name,
      slot,
      path: [slotText(index + 1), slotText(slot)],
      unplug: bus.unplug,
    }));
  }
  return Array.from({ length: bus.units }, (_, lun) => ({
    transport: 'scsi',
    bus: bus.name,
    channel: 0,
    scsiId: 0,
    lun,
    controller: bus.controller,
    unplug: 'immediate',
  }));
}

/** The picture of the buses with what is at their places by key. */
export function describeSimulatedBuses(
  buses: readonly SimulatedBus[],
  occupants: ReadonlyMap<string, string>,
): Bus[] {
  return buses.map((bus, index) => {
    const places = placesOf(bus, index);
    const keys = places.map(placeKey);
    return {
      name: bus.name,
      transport: bus.transport,
      kind: bus.transport === 'pci' ? 'simulated port' : 'simulated controller',
      ...(bus.refuses === undefined ? {} : { refuses: bus.refuses }),
      places,
      capacity: places.length,
      taken: new Map(keys.flatMap((key) => (occupants.has(key) ? [[key, occupants.get(key) ?? '']] : []))),
    };
  });
}
