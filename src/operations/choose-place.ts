import { VmplugError } from '../api/errors.ts';
import { placeKey, type Bus, type Place } from '../api/place.ts';
import type { DeviceNeeds } from '../devices/device-kind.ts';

/**
 * As many places as a device needs, the best first: see {@link choosePlace}.
 * @throws VmplugError `no-free-place` with how many there are; `bus-not-hotpluggable`
 */
export function choosePlaces(
  buses: readonly Bus[],
  { transport, count }: Pick<DeviceNeeds, 'transport' | 'count'>,
  givenOut: ReadonlySet<string>,
  sandbox: string,
  from: 'first' | 'last' = 'first',
): [Place, ...Place[]] {
  const first = choosePlace(buses, transport, givenOut, sandbox, from);
  if (count <= 1) return [first];
  const others = new Set([...givenOut, placeKey(first)]);
  return [first, ...choosePlaces(buses, { transport, count: count - 1 }, others, sandbox, from)];
}

/**
 * The best free place of a kind: neither used in the VMM nor given out by us. `last` takes the
 * last PCI slot that is as good as the first free one: who else manages the VM, libvirt for
 * one, counts from the front and does not know of our devices.
 * @throws VmplugError `no-free-place` with how many there are; `bus-not-hotpluggable`
 */
export function choosePlace(
  buses: readonly Bus[],
  transport: Place['transport'],
  givenOut: ReadonlySet<string>,
  sandbox: string,
  from: 'first' | 'last' = 'first',
): Place {
  const ofKind = buses.filter((bus) => bus.transport === transport);
  const usable = ofKind.filter((bus) => bus.refuses === undefined);
  for (const bus of usable) {
    const first = firstFree(bus, bus.places, givenOut);
    if (first === undefined) continue;
    return from === 'first' || transport !== 'pci' ? first : lastAlike(usable, bus, first, givenOut);
  }
  throw usable.length === 0 ? noBus(ofKind, transport, sandbox) : allTaken(usable, transport, sandbox);
}

function lastAlike(usable: readonly Bus[], bus: Bus, first: Place, givenOut: ReadonlySet<string>): Place {
  const isAlike = ({ kind, places }: Bus): boolean => {
    const [place] = places;
    return kind === bus.kind && place?.unplug === first.unplug;
  };
  for (const candidate of usable.filter(isAlike).toReversed()) {
    const last = firstFree(candidate, [...candidate.places].toReversed(), givenOut);
    if (last !== undefined) return last;
  }
  return first;
}

function firstFree(bus: Bus, candidates: Iterable<Place>, givenOut: ReadonlySet<string>): Place | undefined {
  for (const place of candidates) {
    const key = placeKey(place);
    if (!bus.taken.has(key) && !givenOut.has(key)) return place;
  }
  return undefined;
}

/** How many places of a kind are free and how many there are. */
export function countPlaces(
  buses: readonly Bus[],
  transport: Place['transport'],
  givenOut: ReadonlySet<string>,
): { total: number; free: number } {
  const usable = buses.filter((bus) => bus.transport === transport && bus.refuses === undefined);
  const total = usable.reduce((sum, bus) => sum + bus.capacity, 0);
  const used = new Set(usable.flatMap((bus) => [...bus.taken.keys()]));
  for (const key of givenOut) if (key.startsWith(`${transport}:`)) used.add(key);
  return { total, free: Math.max(0, total - used.size) };
}

function allTaken(usable: readonly Bus[], transport: Place['transport'], sandbox: string): VmplugError {
  const total = usable.reduce((sum, bus) => sum + bus.capacity, 0);
  return new VmplugError('no-free-place', {
    action: 'find a place in',
    subject: sandbox,
    reason: `all ${total} ${places[transport]} are taken`,
    hint: hints[transport],
    facts: { total, free: 0, transport },
  });
}

function noBus(ofKind: readonly Bus[], transport: Place['transport'], sandbox: string): VmplugError {
  if (ofKind.length === 0) {
    return new VmplugError('no-free-place', {
      action: 'find a place in',
      subject: sandbox,
      reason: `the VM has 0 ${places[transport]}`,
      hint: hints[transport],
      facts: { total: 0, free: 0, transport },
    });
  }
  return new VmplugError('bus-not-hotpluggable', {
    action: 'find a place in',
    subject: sandbox,
    reason: `no bus takes devices while the VM runs: ${ofKind
      .slice(0, 8)
      .map((bus) => `${bus.name}: ${bus.refuses}`)
      .join('; ')}`,
    hint: transport === 'pci' ? noHotplugHint : hints[transport],
    facts: { buses: ofKind.length, transport },
  });
}

const places: Readonly<Record<Place['transport'], string>> = {
  pci: 'PCI slots that take hot-plug',
  scsi: 'SCSI units',
  ccw: 'channel device numbers',
  memory: 'slots for memory devices',
  ap: 'sets of crypto adapters',
  slot: 'drive slots',
};
const noHotplugHint =
  'plug it as --driver virtio-scsi where the VM has such a controller, or start the VM with pcie-root-ports (vmplug sandbox run --ports N), or with the device (--cold-plug)';
const hints: Readonly<Record<Place['transport'], string>> = {
  pci: 'detach something, plug it as --driver virtio-scsi, or start the VM with more pcie-root-ports (vmplug sandbox run --ports N)',
  scsi: 'plug it as --driver virtio-blk, or start the VM with a virtio-scsi controller',
  ccw: 'detach something; only s390-ccw-virtio machines have channel devices',
  memory:
    'start the VM with nvdimm=on, spare memory slots and room above its memory (vmplug sandbox run --memory-slots N --max-memory SIZE); what is in a slot stays until the VM ends',
  ap: 'a guest has one set of crypto adapters: detach the one that it has; only s390x guests have any',
  slot: 'detach something; the number of drives was decided when the VM started',
};
