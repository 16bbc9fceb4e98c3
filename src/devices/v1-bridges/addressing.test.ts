import { describe, expect, test } from 'vitest';
import { addDeviceToBridge, ccwAddress, ccwGuestAddress, removeDeviceFromBridge } from './addressing.ts';
import { Bridge } from './bridge.ts';
import { createBridges } from './create-bridges.ts';

describe('7.5 QEMU bridges', () => {
  test('five bridges are pci-bridge-0 to pci-bridge-4, in the slots from 2', () => {
    expect(createBridges(5, 'q35').map(({ id, type, addr }) => ({ id, type, addr }))).toEqual([
      { id: 'pci-bridge-0', type: 'pci', addr: 2 },
      { id: 'pci-bridge-1', type: 'pci', addr: 3 },
      { id: 'pci-bridge-2', type: 'pci', addr: 4 },
      { id: 'pci-bridge-3', type: 'pci', addr: 5 },
      { id: 'pci-bridge-4', type: 'pci', addr: 6 },
    ]);
  });

  test('30 devices fit on one, the 31st is an error', () => {
    const bridges = createBridges(1, 'pc');
    for (let index = 1; index <= 30; index += 1) {
      expect(addDeviceToBridge(bridges, `d${index}`, 'pci').bridge).toBe(bridges[0]);
    }
    expect(() => addDeviceToBridge(bridges, 'd31', 'pci')).toThrow(
      expect.objectContaining({
        code: 'no-free-place',
        reason: expect.stringContaining('pci-bridge-0: 30 of 30'),
      }),
    );
  });

  test('without bridges it is another error', () => {
    expect(() => addDeviceToBridge([], 'd', 'pci')).toThrow(
      expect.objectContaining({ code: 'bus-not-hotpluggable' }),
    );
  });
});

describe('7.5 bridges', () => {
  test('channel addresses of 0 on subsystem 0 are fe.0.0 and 0.0.0', () => {
    const bridge = new Bridge('ccw', 'ccw-bridge-0', 0);
    expect(ccwAddress(bridge, '0')).toBe('fe.0.0');
    expect(ccwGuestAddress(bridge, '0')).toBe('0.0.0');
  });

  test('the subsystem is written in hexadecimal', () => {
    const bridge = new Bridge('ccw', 'b', 26);
    expect(ccwAddress(bridge, '00ff')).toBe('fe.1a.00ff');
    expect(ccwGuestAddress(bridge, '00ff')).toBe('0.1a.00ff');
  });

  test('a PCI bridge has no channel addresses', () => {
    const bridge = new Bridge('pci', 'b');
    const refusal = expect.objectContaining({ code: 'invalid-argument' });
    expect(() => ccwAddress(bridge, '0')).toThrow(refusal);
    expect(() => ccwGuestAddress(bridge, '0')).toThrow(refusal);
  });
});

test('machines without bridges, and s390x with its channel subsystems', () => {
  expect(createBridges(3, 'microvm')).toEqual([]);
  expect(createBridges(3, 'toString')).toEqual([]);
  expect(createBridges(2, 's390-ccw-virtio').map(({ id, addr }) => [id, addr])).toEqual([
    ['ccw-bridge-0', 0],
    ['ccw-bridge-1', 0],
  ]);
});

test('the first bridge of the type with room is taken; the address has the digits of its type', () => {
  const [ccw, full, pci] = [new Bridge('ccw', 'c'), new Bridge('pci', 'full'), new Bridge('pci', 'p')];
  for (let index = 0; index < 30; index += 1) full.addDevice(`x${index}`);
  for (let index = 0; index < 10; index += 1) addDeviceToBridge([ccw, full, pci], `y${index}`, 'pci');
  expect(addDeviceToBridge([ccw, full, pci], 'd', 'pci')).toEqual({ bridge: pci, address: '0b' });
  for (let index = 0; index < 26; index += 1) ccw.addDevice(`z${index}`);
  expect(addDeviceToBridge([ccw, full, pci], 'd', 'ccw')).toEqual({ bridge: ccw, address: '001b' });
});

describe('W39: removing what no bridge has is an error', () => {
  const notFound = (...words: string[]) =>
    expect.objectContaining({
      code: 'device-not-found',
      reason: expect.stringMatching(new RegExp(words.join('.*'))),
    });

  test('with no bridges too', () => {
    expect(() => removeDeviceFromBridge([], 'd')).toThrow(notFound('no bridges'));
  });

  test('and every bridge is named, not only the last', () => {
    expect(() => removeDeviceFromBridge(createBridges(3, 'pc'), 'd')).toThrow(
      notFound('pci-bridge-0', 'pci-bridge-1', 'pci-bridge-2'),
    );
  });

  test('what one of them has is removed from it alone', () => {
    const bridges = createBridges(2, 'pc');
    for (const bridge of bridges) bridge.addDevice('d');
    removeDeviceFromBridge(bridges, 'd');
    expect(bridges.map(({ devices }) => devices.size)).toEqual([0, 1]);
  });
});
