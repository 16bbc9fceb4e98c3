import type { JsonObject } from '../../api/json.ts';
import { placeKey } from '../../api/place.ts';
import { numberOf, textOf } from './device-arguments.ts';
import type { PciBus, SimulatedBus } from './simulated-bus.ts';
import type { MachineWords } from './machine-words.ts';
import { Refusal } from './simulated-errors.ts';
import {
  capacityOf,
  ccwPlace,
  pciPlaceAt,
  placeAt,
  placesOf,
  type SimulatedPlace,
} from './simulated-places.ts';

/** What is plugged. */
export type Occupants = readonly {
  readonly id: string;
  readonly model: string;
  readonly place: SimulatedPlace;
}[];

/**
 * The place on a bus that the arguments of `device_add` name, or the first that is free where they
 * name none.
 * @throws Refusal when there is no such place, or something is at it
 */
export function findPlace(
  bus: SimulatedBus,
  index: number,
  args: JsonObject,
  occupants: Occupants,
  words: MachineWords,
): SimulatedPlace {
  const occupantOf = (place: SimulatedPlace): Occupants[number] | undefined =>
    occupants.find((each) => placeKey(each.place) === placeKey(place));
  const slot =
    bus.transport === 'pci' && bus.isPort === true ? readSlot(textOf(args, 'addr') || '0', args) : 0;
  if (bus.transport === 'pci' && slot > 0) return unseenSlot(bus, index, slot, args, occupants);
  const named = namedPlace(bus, index, args);
  if (named === undefined) {
    for (const place of placesOf(bus, index)) if (occupantOf(place) === undefined) return place;
    if (bus.transport === 'pci' && bus.isPort === true) {
      return unseenSlot(bus, index, 1, args, words.letsInSecond ? [] : occupants);
    }
    throw new Refusal(fullText(bus, textOf(args, 'driver')), 'place-taken');
  }
  const occupant = occupantOf(named);
  if (occupant !== undefined) {
    throw new Refusal(takenText(named, textOf(args, 'driver'), occupant), 'place-taken');
  }
  return named;
}

function namedPlace(bus: SimulatedBus, index: number, args: JsonObject): SimulatedPlace | undefined {
  switch (bus.transport) {
    case 'pci': {
      const addr = textOf(args, 'addr');
      return addr === '' ? undefined : nthPlace(bus, index, bus.slots.indexOf(readSlot(addr, args)));
    }
    case 'scsi': {
      const lun = numberOf(args, 'lun');
      const onTarget = (numberOf(args, 'channel') ?? 0) === 0 && (numberOf(args, 'scsi-id') ?? 0) === 0;
      return lun === undefined ? undefined : nthPlace(bus, index, onTarget ? lun : -1);
    }
    case 'ccw': {
      const devno = textOf(args, 'devno');
      return devno === '' ? undefined : readDevno(bus, devno, args);
    }
    case 'memory': {
      const slot = numberOf(args, 'slot');
      if (bus.slots === 0) throw new Refusal("no slots where allocated, please specify the 'slots' option");
      if (slot !== undefined && slot >= bus.slots) {
        throw new Refusal(`invalid slot number ${slot}, valid range is [0-${bus.slots - 1}]`);
      }
      return slot === undefined ? undefined : placeAt(bus, index, slot);
    }
    case 'ap':
      return undefined;
  }
}

function nthPlace(bus: SimulatedBus, index: number, nth: number): SimulatedPlace {
  if (nth < 0 || nth >= capacityOf(bus)) throw new Refusal(`bus '${bus.name}' has no such place`);
  return placeAt(bus, index, nth);
}

/** `1f` or `1f.0`, in hexadecimal digits; -1 for another function than the first. */
function readSlot(addr: string, args: JsonObject): number {
  const parts = /^([0-9a-f]{1,2})(?:\.([0-7]))?$/i.exec(addr);
  const slot = Number.parseInt(parts?.[1] ?? 'ff', 16);
  if (slot > 31) {
    throw new Refusal(`Property '${textOf(args, 'driver')}.addr' doesn't take value '${addr}'`);
  }
  return (parts?.[2] ?? '0') === '0' ? slot : -1;
}

/** `fe.0.0005`: channel subsystem image, subchannel set, device number, in hexadecimal digits. */
function readDevno(bus: SimulatedBus, devno: string, args: JsonObject): SimulatedPlace {
  const parts = /^fe\.([0-3])\.([0-9a-f]{1,4})$/i.exec(devno);
  if (parts === null) {
    throw new Refusal(`Property '${textOf(args, 'driver')}.devno' doesn't take value '${devno}'`);
  }
  return ccwPlace(bus.name, Number(parts[1]), Number.parseInt(parts[2] ?? '', 16));
}

/** QEMU's words for a bus without a free place. */
function fullText(bus: SimulatedBus, driver: string): string {
  switch (bus.transport) {
    case 'pci':
      return `PCI: no slot/function available for ${driver}, all in use or reserved`;
    case 'memory':
      return 'no free slots available';
    case 'scsi':
      return 'no free lun';
    case 'ccw':
      return 'Virtual channel subsystem is full!';
    case 'ap':
      return `Bus '${bus.name}' is full`;
  }
}

/** Another slot of a port than the one it has: no guest sees what is there. */
function unseenSlot(
  bus: PciBus,
  index: number,
  slot: number,
  args: JsonObject,
  occupants: Occupants,
): SimulatedPlace {
  const first = occupants.find(({ place }) => place.transport === 'pci' && place.bus === bus.name);
  if (first === undefined) return pciPlaceAt(bus, index, slot);
  throw new Refusal(
    `PCI: slot 0 function 0 already occupied by ${first.model}, new func ${textOf(args, 'driver')} cannot be exposed to guest.`,
    'place-taken',
  );
}

/** QEMU's words for a place that something sits at. */
function takenText(place: SimulatedPlace, driver: string, occupant: Occupants[number]): string {
  const { id, model } = occupant;
  switch (place.transport) {
    case 'pci':
      return `PCI: slot ${place.slot} function 0 not available for ${driver}, in use by ${model},id=${id}`;
    case 'scsi':
      return `lun already used by '${id}'`;
    case 'ccw':
      return `Device ${place.devno} already exists`;
    case 'memory':
      return `slot ${place.slot} is busy`;
    case 'ap':
      return `Bus '${place.bus}' is full`;
  }
}
