import { describe, expect, test } from 'vitest';
import { placeKey } from '../../api/place.ts';
import type { JsonObject } from '../../api/json.ts';
import type { Command } from '../../api/plan.ts';
import {
  add,
  connected,
  limits,
  node,
  outcomes,
  plug,
  refusals,
  removeNode,
  unplug,
} from './commands.testing.ts';
import { everyBus, SimulatedMachine } from './index.ts';

const everyKind = (): SimulatedMachine => new SimulatedMachine({ buses: everyBus() });
const ccw = (id: string, more: JsonObject = {}): Command => add('virtio-blk-ccw', id, { drive: id, ...more });

test('a machine with every bus has room for every kind', () => {
  const buses = everyKind().buses();
  expect(buses.map(({ transport, capacity }) => [transport, capacity])).toEqual([
    ...Array.from({ length: 8 }, () => ['pci', 1]),
    ['scsi', 8],
    ['memory', 8],
    ['ccw', 65536],
    ['ap', 1],
  ]);
  for (const bus of buses) {
    const places = [...bus.places];
    expect(places).toHaveLength(bus.capacity);
    expect(new Set(places.map(placeKey)).size).toBe(bus.capacity);
  }
});

test('places are made only as far as they are looked at', () => {
  const bus = everyKind()
    .buses()
    .find(({ transport }) => transport === 'ccw');
  const looked = Iterator.from(bus?.places ?? [])
    .take(2)
    .map(placeKey);
  expect([...looked]).toEqual(['ccw:fe.0.0000', 'ccw:fe.0.0001']);
});

describe('channel devices', () => {
  test('a disk at its number, where the guest finds it, removed at once', async () => {
    const machine = everyKind();
    const hypervisor = connected(machine);
    expect(await outcomes(hypervisor, node('a'), ccw('a', { devno: 'fe.0.0005' }))).toEqual(['ok', 'ok']);
    const place = machine.device('a')?.place ?? expect.fail('no device');
    expect(placeKey(place)).toBe('ccw:fe.0.0005');
    expect(await hypervisor.observe('a', place, limits)).toEqual({
      present: true,
      evidence: 'live',
      best: 'live',
      guest: { ccw: '0.0.0005' },
    });
    machine.guest = { ...machine.guest, onUnplug: 'ignores' };
    expect(refusals(machine, unplug('a'), removeNode('a'))).toEqual(['ok', 'ok']);
    expect(machine.devices).toEqual([]);
  });

  test('a number is given out once, and must be one', async () => {
    const machine = everyKind();
    refusals(machine, node('a'), node('b', '/other'), ccw('a', { devno: 'fe.0.0005' }));
    expect(
      refusals(
        machine,
        ccw('b', { devno: 'fe.0.5' }),
        ccw('b', { devno: '0.0.0006' }),
        ccw('b', { devno: 'fe.0.0006', drive: 'zz' }),
        ccw('b', { devno: 'fe.0.0006', drive: 'a' }),
      ),
    ).toEqual([
      'Device fe.0.0005 already exists',
      "Property 'virtio-blk-ccw.devno' doesn't take value '0.0.0006'",
      "Property 'virtio-blk-device.drive' can't find value 'zz'",
      "Permission conflict on node 'a': permissions 'write' are both required by block device '/machine/peripheral/a/virtio-backend' (uses node 'a' as 'root' child) and unshared by block device '/machine/peripheral/b/virtio-backend' (uses node 'a' as 'root' child).",
    ]);
    const hypervisor = connected(machine);
    const [taken] = await Promise.allSettled(hypervisor.submit([ccw('b', { devno: 'fe.0.0005' })], limits));
    expect(taken?.status === 'rejected' && hypervisor.isPlaceTaken(taken.reason)).toBe(true);
    expect(refusals(machine, removeNode('b'))).toEqual(['ok']);
  });

  test('without a number it gets the first that is free', () => {
    const machine = everyKind();
    refusals(machine, node('a'), node('b', '/other'), ccw('a'), ccw('b'));
    expect(machine.devices.map(({ place }) => placeKey(place))).toEqual(['ccw:fe.0.0000', 'ccw:fe.0.0001']);
  });
});

describe('what device_add is refused for, whatever the model', () => {
  const disk = (more: JsonObject): Command => add('virtio-blk-pci', 'b', { drive: 'b', ...more });

  test('models, ids and buses', () => {
    const machine = everyKind();
    refusals(machine, node('a'), plug('a'), node('b', '/other'));
    expect(
      refusals(
        machine,
        { execute: 'device_add', arguments: { id: 'b' } },
        add('nosuch', 'b'),
        add('virtio-blk-pci', '1 2'),
        plug('a', 'port9'),
        disk({ bus: 'port9', addr: '00' }),
        disk({ addr: '00' }),
        disk({ bus: 'scsi0.0' }),
        add('scsi-hd', 'b', { bus: 'port1', drive: 'b' }),
        disk({ bus: 'port1', addr: '00', drive: undefined }),
        { execute: 'device_del' },
      ),
    ).toEqual([
      "Parameter 'driver' is missing",
      "'nosuch' is not a valid device model name",
      "Parameter 'id' expects an identifier",
      "Duplicate device ID 'a'",
      "Bus 'port9' not found",
      "Bus 'pcie.0' does not support hotplugging",
      "Device 'virtio-blk-pci' can't go on SCSI bus",
      "Device 'scsi-hd' can't go on PCIE bus",
      'drive property not set',
      "Parameter 'id' is missing",
    ]);
    expect(refusals(machine, removeNode('b'))).toEqual(['ok']);
  });

  test('addresses', () => {
    const machine = everyKind();
    const at = (addr: string): Command => disk({ bus: 'port1', addr });
    refusals(machine, node('b'));
    expect(refusals(machine, at('zz'), at('20'), at('3'), at('0.1'), at('0.0'))).toEqual([
      "Property 'virtio-blk-pci.addr' doesn't take value 'zz'",
      "Property 'virtio-blk-pci.addr' doesn't take value '20'",
      "bus 'port1' has no such place",
      "bus 'port1' has no such place",
      'ok',
    ]);
  });
});

test('others can plug at any kind of place, and are seen there', () => {
  const machine = everyKind();
  const keys = ['pci:port3:00', 'scsi:scsi0.0:0:0:2', 'memory:4', 'ccw:fe.0.0100', 'ap:ap-bus'];
  for (const key of keys) machine.plugForeign(`theirs-${key.replaceAll(':', '.')}`, key);
  expect(machine.buses().flatMap((bus) => [...bus.taken.keys()])).toEqual(keys);
  expect(() => machine.plugForeign('theirs', 'memory:9')).toThrow('there is no such place');
});
