import { describe, expect, test } from 'vitest';
import { Bridge } from './bridge.ts';

describe('7.5 bridges', () => {
  test.each(['pci', 'pcie', 'ccw'])('%s: a device is added from slot 1 and removed by its id', (type) => {
    const bridge = new Bridge(type, 'b');
    expect(bridge.addDevice('d')).toBe(1);
    expect([...bridge.devices]).toEqual([[1, 'd']]);
    expect(() => bridge.removeDevice('')).toThrow(expect.objectContaining({ code: 'device-not-found' }));
    expect(bridge.devices.size).toBe(1);
    bridge.removeDevice('d');
    expect(bridge.devices.size).toBe(0);
  });

  test.each([
    ['pci', 30],
    ['pcie', 30],
    ['ccw', 65_535],
  ] as const)('a full bridge of type %s has %i devices and takes no other', (type, capacity) => {
    const bridge = new Bridge(type, 'b');
    expect(bridge.capacity).toBe(capacity);
    for (let slot = 1; slot <= capacity; slot += 1) {
      if (bridge.addDevice(`d${slot}`) !== slot) throw new Error(`not slot ${slot}`);
    }
    expect(() => bridge.addDevice('one more')).toThrow(
      expect.objectContaining({ code: 'no-free-place', facts: { device: 'one more', total: capacity } }),
    );
    expect(bridge.devices.size).toBe(capacity);
  });

  test.each(['', 'isa', 'constructor'])('a bridge of the unknown type %j takes nothing', (type) => {
    const bridge = new Bridge(type, 'b');
    expect(bridge.capacity).toBe(0);
    expect(() => bridge.addDevice('d')).toThrow(expect.objectContaining({ code: 'no-free-place' }));
  });
});

test('the lowest free slot is taken', () => {
  const bridge = new Bridge('pci', 'b');
  for (const device of ['a', 'b', 'c']) bridge.addDevice(device);
  bridge.removeDevice('b');
  bridge.removeDevice('a');
  expect([bridge.addDevice('d'), bridge.addDevice('e'), bridge.addDevice('f')]).toEqual([1, 2, 4]);
});

test('one device may be added twice, and is then removed twice', () => {
  const bridge = new Bridge('pci', 'b');
  bridge.addDevice('d');
  bridge.addDevice('d');
  bridge.removeDevice('d');
  expect([...bridge.devices]).toEqual([[2, 'd']]);
  bridge.removeDevice('d');
  expect(() => bridge.removeDevice('d')).toThrow(expect.objectContaining({ code: 'device-not-found' }));
});

test('a bridge that was saved goes on where it was', () => {
  const bridge = new Bridge('pci', 'pci-bridge-1', 3, [
    [1, 'a'],
    [3, 'c'],
  ]);
  expect(bridge.addr).toBe(3);
  expect([bridge.addDevice('b'), bridge.addDevice('d')]).toEqual([2, 4]);
  bridge.removeDevice('c');
  expect([...bridge.devices].map(([slot]) => slot).toSorted((a, b) => a - b)).toEqual([1, 2, 4]);
});
