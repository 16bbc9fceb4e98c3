import type { Bus } from '../../api/place.ts';
import { apBus, ccwBus, missingApBus } from './channel-places.ts';
import { memoryBus } from './memory-slots.ts';
import { pciBus, pciRank, pciRefusal } from './pci-places.ts';
import type { FoundBuses, QomBus } from './qom-bus.ts';
import { scsiBus, scsiRefusal } from './scsi-places.ts';

/**
 * Turns what QEMU has into buses and places, best bus first. Pure.
 * @param machine the type of it
 */
export function describeBuses({ buses, memory }: FoundBuses, machine = ''): Bus[] {
  const named = new Map<string, number>();
  for (const bus of buses) named.set(bus.name, (named.get(bus.name) ?? 0) + 1);
  const described = buses
    .toSorted((a, b) => compareSlots(a.slots, b.slots))
    .map((bus) => describe(bus, (named.get(bus.name) ?? 0) > 1))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ bus }) => bus);
  const hasType = (type: QomBus['type']): boolean => buses.some((bus) => bus.type === type);
  const hasPci = hasType('PCI') || hasType('PCIE');
  return [
    ...described,
    ...(machine === 'microvm' && !hasPci ? [mmioBuses()] : []),
    ...(hasType('virtual-css-bus') && !hasType('ap-bus') ? [missingApBus()] : []),
    ...(memory === undefined ? [] : [memoryBus(memory)]),
  ];
}

/** What a microvm has in the place of a PCI bus. */
function mmioBuses(): Bus {
  return {
    name: 'virtio-mmio-bus',
    transport: 'pci',
    kind: 'virtio-mmio buses',
    capacity: 0,
    places: [],
    taken: new Map(),
    refuses:
      'a microvm has virtio-mmio buses, which take no device while it runs: it has to be there from its start',
  };
}

/** In the order of the slots that lead to them, which is how people number ports. */
function compareSlots(a: readonly string[], b: readonly string[]): number {
  const [left, right] = [a.join('/'), b.join('/')];
  return left < right ? -1 : Number(left > right);
}

function describe(bus: QomBus, ambiguous: boolean): { bus: Bus; rank: number } {
  const refuses = ambiguous ? 'its name is not unique, so it cannot be addressed' : refusal(bus);
  const rest = refuses === undefined ? {} : { refuses };
  switch (bus.type) {
    case 'SCSI':
      return { rank: 0, bus: { ...scsiBus(bus), ...rest } };
    case 'virtual-css-bus':
      return { rank: 0, bus: { ...ccwBus(bus), ...rest } };
    case 'ap-bus':
      return { rank: 0, bus: { ...apBus(bus), ...rest } };
    case 'PCI':
    case 'PCIE':
      return { rank: pciRank(bus), bus: { ...pciBus(bus), ...rest } };
  }
}

function refusal(bus: QomBus): string | undefined {
  switch (bus.type) {
    case 'SCSI':
      return scsiRefusal(bus);
    case 'virtual-css-bus':
    case 'ap-bus':
      return bus.handler === '' ? 'no hot-plug handler' : undefined;
    case 'PCI':
    case 'PCIE':
      return pciRefusal(bus);
  }
}
