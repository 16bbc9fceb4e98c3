import { placeKey, slotText, type Bus, type Place, type UnplugMethod } from '../../api/place.ts';

/** One bus as the object model of QEMU shows it. */
export interface QomBus {
  /** The name that `device_add` takes. */
  readonly name: string;
  readonly path: string;
  readonly type: 'PCI' | 'PCIE' | 'SCSI';
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

const unitsPerTarget = 256;
const scsiTargets = 256;

/** Turns what QEMU has into buses and places, best bus first. Pure. */
export function describeBuses(found: readonly QomBus[]): Bus[] {
  const named = new Map<string, number>();
  for (const bus of found) named.set(bus.name, (named.get(bus.name) ?? 0) + 1);
  return found
    .toSorted((a, b) => compareSlots(a.slots, b.slots))
    .map((bus) => describe(bus, (named.get(bus.name) ?? 0) > 1))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ bus }) => bus);
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
  if (bus.type === 'SCSI') {
    return {
      rank: 0,
      bus: {
        name: bus.name,
        transport: 'scsi',
        kind: bus.parent?.type ?? 'scsi',
        capacity: scsiTargets * unitsPerTarget,
        places: { [Symbol.iterator]: () => scsiPlaces(bus) },
        taken: new Map(bus.devices.map((device) => [placeKey(scsiPlaceOf(bus, device)), device.id])),
        ...rest,
      },
    };
  }
  const method: UnplugMethod = bus.handler === bus.parent?.path ? 'pcie-native' : 'acpi';
  const slots = isPort(bus) ? [0] : Array.from({ length: 31 }, (_, index) => index + 1);
  return {
    rank: rankOf(bus, method),
    bus: {
      name: bus.name,
      transport: 'pci',
      kind: bus.parent?.type ?? 'root bus',
      capacity: slots.length,
      places: slots.map((slot) => pciPlace(bus, slot, method)),
      taken: new Map(
        bus.devices.flatMap((device) => {
          // A port has one slot: a device that QEMU 7.2 let in at another number fills it too.
          const slot = isPort(bus) ? 0 : Number(device.properties['addr'] ?? 0) >> 3;
          // The host bridge in slot 0 of a root bus sits at no place of ours.
          return slots.includes(slot) ? [[placeKey(pciPlace(bus, slot, method)), device.id]] : [];
        }),
      ),
      ...rest,
    },
  };
}

/** A port takes one device; a PCI bus 31. */
function isPort(bus: QomBus): boolean {
  return bus.type === 'PCIE' && bus.parent?.isPort === true;
}

function refusal(bus: QomBus): string | undefined {
  // Before the missing handler, which is what it leads to.
  if (bus.parent?.properties['hotplug'] === false) return 'the port has hotplug=off';
  if (bus.handler === '') {
    return bus.parent === undefined ? 'a root complex takes no hot-plug' : 'no hot-plug handler';
  }
  if (bus.type === 'SCSI') return undefined;
  if (bus.type === 'PCIE' && !isPort(bus)) return 'not a port';
  const own = bus.handler === bus.parent?.path;
  if (bus.type === 'PCI' && own) return 'SHPC: seconds for each plug, and many guests lack its driver';
  if (!own && acpiHandlers.has(bus.handlerType) && !bus.acpi) return 'ACPI hot-plug is off for it';
  if (bus.parent?.type === 'pci-bridge' && bus.parent.properties['shpc'] === false) {
    return 'a pci-bridge with shpc=off: the guest never sees what is plugged';
  }
  return undefined;
}

const acpiHandlers = new Set(['PIIX4_PM', 'ICH9-LPC']);

/** ACPI before native, because native unplug takes 6 s; ports before bridges, which nest. */
function rankOf(bus: QomBus, method: UnplugMethod): number {
  const depth = bus.slots.length;
  return (method === 'acpi' ? 0 : 100) + (isPort(bus) ? 0 : 10) + depth;
}

function pciPlace(bus: QomBus, slot: number, unplug: UnplugMethod): Place {
  return { transport: 'pci', bus: bus.name, slot, path: [...bus.slots, slotText(slot)], unplug };
}

function* scsiPlaces(bus: QomBus): Generator<Place, void> {
  for (let scsiId = 0; scsiId < scsiTargets; scsiId += 1) {
    for (let lun = 0; lun < unitsPerTarget; lun += 1) yield scsiPlace(bus, 0, scsiId, lun);
  }
}

function scsiPlaceOf(bus: QomBus, device: QomDevice): Place {
  const number = (name: string): number => Number(device.properties[name] ?? 0);
  return scsiPlace(bus, number('channel'), number('scsi-id'), number('lun'));
}

function scsiPlace(bus: QomBus, channel: number, scsiId: number, lun: number): Place {
  const controller = bus.parent?.id ?? '';
  return { transport: 'scsi', bus: bus.name, channel, scsiId, lun, controller, unplug: 'immediate' };
}
