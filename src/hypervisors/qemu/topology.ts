import { slotText, type Bus } from '../../api/place.ts';
import { apBus, ccwBus, missingApBus } from './channel-places.ts';
import type { FoundBuses } from './discover.ts';
import { memoryBus } from './memory-slots.ts';
import { pciBus, pciRank, pciRefusal } from './pci-places.ts';
import { scsiBus, scsiRefusal } from './scsi-places.ts';

/** One bus as the object model of QEMU shows it. */
export interface QomBus {
  /** The name that `device_add` takes. */
  readonly name: string;
  readonly path: string;
  readonly type: 'PCI' | 'PCIE' | 'SCSI' | 'virtual-css-bus' | 'ap-bus';
  /** QOM path of what handles hot-plug on it; empty when nothing does. */
  readonly handler: string;
  readonly handlerType: string;
  /** Whether ACPI hot-plug knows the bus (`acpi-pcihp-bsel`). */
  readonly acpi: boolean;
  /** The bridge or controller that the bus belongs to; `undefined` for a root bus. */
  readonly parent?: QomDevice;
  /** Slots from the root bus down to `parent`, as in a {@link Place}. */
  readonly slots: readonly string[];
  readonly devices: readonly QomDevice[];
}

/** One device on a bus. */
export interface QomDevice {
  readonly path: string;
  /** Empty when it was made without one. */
  readonly id: string;
  readonly type: string;
  /** Its own properties, as far as they say where it is and whether it takes hot-plug. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** A bridge with one slot behind it: it has a `chassis`. */
  readonly isPort: boolean;
}

/** Turns what QEMU has into buses and places, best bus first. Pure. */
export function describeBuses({ buses, memory }: FoundBuses): Bus[] {
  const named = new Map<string, number>();
  for (const bus of buses) named.set(bus.name, (named.get(bus.name) ?? 0) + 1);
  const described = buses
    .toSorted((a, b) => compareSlots(a.slots, b.slots))
    .map((bus) => describe(bus, (named.get(bus.name) ?? 0) > 1))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ bus }) => bus);
  const hasType = (type: QomBus['type']): boolean => buses.some((bus) => bus.type === type);
  return [
    ...described,
    ...(hasType('virtual-css-bus') && !hasType('ap-bus') ? [missingApBus()] : []),
    ...(memory === undefined ? [] : [memoryBus(memory)]),
  ];
}

/** In the order of the slots that lead to them, which is how people number ports. */
function compareSlots(a: readonly string[], b: readonly string[]): number {
  const [left, right] = [a.join('/'), b.join('/')];
  return left < right ? -1 : Number(left > right);
}

/** `02`, or `02.1` where the function isn't 0, from QEMU's devfn. */
export function slotOf(devfn: number): string {
  const slot = slotText(devfn >> 3);
  return (devfn & 7) === 0 ? slot : `${slot}.${devfn & 7}`;
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
