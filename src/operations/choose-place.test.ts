import { expect, test } from 'vitest';
import { placeKey, type Bus, type Place } from '../api/place.ts';
import { choosePlace, countPlaces } from './choose-place.ts';

const pci = (bus: string, slot: number): Place => ({
  transport: 'pci',
  bus,
  slot,
  path: ['01'],
  unplug: 'acpi',
});

function bus(name: string, slots: readonly number[], taken: readonly number[] = [], refuses?: string): Bus {
  return {
    name,
    transport: 'pci',
    kind: 'root-port',
    places: slots.map((slot) => pci(name, slot)),
    capacity: slots.length,
    taken: new Map(taken.map((slot) => [placeKey(pci(name, slot)), 'theirs'])),
    ...(refuses === undefined ? {} : { refuses }),
  };
}

const chosen = (buses: readonly Bus[], givenOut: readonly string[] = [], from?: 'last'): string =>
  placeKey(choosePlace(buses, 'pci', new Set(givenOut), 'vm', from));

test('the best free place: not used in the VMM, not given out, in the order of the buses', () => {
  const buses = [bus('p0', [0], [0]), bus('p1', [0]), bus('p2', [0, 1])];
  expect(chosen(buses)).toBe('pci:p1:00');
  expect(chosen(buses, ['pci:p1:00'])).toBe('pci:p2:00');
  expect(chosen(buses, ['pci:p1:00', 'pci:p2:00'])).toBe('pci:p2:01');
});

test('counted from the end among those that are as good', () => {
  const buses = [bus('p0', [0]), bus('p1', [0]), { ...bus('root', [1, 2]), kind: 'root bus' }];
  expect(chosen(buses, [], 'last')).toBe('pci:p1:00');
  expect(chosen(buses, ['pci:p1:00'], 'last')).toBe('pci:p0:00');
  expect(chosen(buses, ['pci:p1:00', 'pci:p0:00'], 'last')).toBe('pci:root:02');
});

test('a bus that takes nothing is passed by', () => {
  expect(chosen([bus('pcie.0', [1], [], 'a root complex takes no hot-plug'), bus('p0', [0])])).toBe(
    'pci:p0:00',
  );
});

test('pain 54: when all are taken the error says how many there are', () => {
  expect(() => chosen([bus('p0', [0], [0]), bus('p1', [0])], ['pci:p1:00'])).toThrow(
    expect.objectContaining({
      code: 'no-free-place',
      reason: 'all 2 PCI slots that take hot-plug are taken',
      facts: { total: 2, free: 0, transport: 'pci' },
    }),
  );
});

test('a VM without such a bus, and one whose buses all refuse', () => {
  expect(() => chosen([])).toThrow(
    expect.objectContaining({ code: 'no-free-place', facts: { total: 0, free: 0, transport: 'pci' } }),
  );
  expect(() => chosen([bus('pcie.0', [1], [], 'why not')])).toThrow(
    expect.objectContaining({
      code: 'bus-not-hotpluggable',
      reason: 'no bus takes devices while the VM runs: pcie.0: why not',
    }),
  );
});

test('counting: what the VMM uses and what is given out, once each, of that kind only', () => {
  const buses = [bus('p0', [0], [0]), bus('p1', [0]), bus('p2', [0]), bus('off', [0], [], 'off')];
  expect(countPlaces(buses, 'pci', new Set(['pci:p0:00', 'pci:p1:00', 'scsi:s:0:0:0']))).toEqual({
    total: 3,
    free: 1,
  });
  expect(countPlaces(buses, 'scsi', new Set())).toEqual({ total: 0, free: 0 });
});
