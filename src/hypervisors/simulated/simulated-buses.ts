import { placeKey, type Bus, type Place, type UnplugMethod } from '../../api/place.ts';
import type { SimulatedBus } from './simulated-bus.ts';
import { capacityOf, placesOf } from './simulated-places.ts';

/** `count` root ports, `port0` and so on, each with one slot. */
export function rootPorts(count: number, unplug: UnplugMethod = 'acpi'): SimulatedBus[] {
  return Array.from({ length: count }, (_, index) => ({
    transport: 'pci',
    name: `port${index}`,
    slots: [0],
    unplug,
  }));
}

/** Room for every kind of device, which no real machine has: 8 root ports, and one of each other bus. */
export function everyBus(unplug: UnplugMethod = 'acpi'): SimulatedBus[] {
  return [
    ...rootPorts(8, unplug),
    { transport: 'scsi', name: 'scsi0.0', controller: 'scsi0', units: 8 },
    { transport: 'memory', name: 'memory', slots: 8 },
    { transport: 'ccw', name: 'virtual-css' },
    { transport: 'ap', name: 'ap-bus' },
  ];
}

const kinds = {
  pci: 'simulated port',
  scsi: 'simulated controller',
  ccw: 'simulated channel subsystem',
  memory: 'simulated memory slots',
  ap: 'simulated adjunct processors',
} as const;

/** The picture of the buses, with the devices at their places. */
export function describeSimulatedBuses(
  buses: readonly SimulatedBus[],
  devices: readonly { readonly id: string; readonly place: Place }[],
): Bus[] {
  return buses.map((bus, index) => ({
    name: bus.name,
    transport: bus.transport,
    kind: kinds[bus.transport],
    ...(bus.refuses === undefined ? {} : { refuses: bus.refuses }),
    places: placesOf(bus, index),
    capacity: capacityOf(bus),
    taken: new Map(
      devices
        .filter(({ place }) => place.bus === bus.name && place.transport === bus.transport)
        .map(({ id, place }) => [placeKey(place), id]),
    ),
  }));
}
