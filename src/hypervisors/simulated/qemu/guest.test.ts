import { describe, expect, test } from 'vitest';
import { plugDisk, talkTo } from './conversation.testing.ts';

const deleted = (id: string): string[] => [
  `DEVICE_DELETED {"path":"/machine/peripheral/${id}/virtio-backend"}`,
  `DEVICE_DELETED {"device":"${id}","path":"/machine/peripheral/${id}"}`,
];

function evidence(client: ReturnType<typeof talkTo>, id = 'a'): string | undefined {
  return client.vm.machine.device(id)?.evidence;
}

describe('a guest that hears ACPI', () => {
  test('takes a device in its time, and lets go in its time', () => {
    const client = talkTo({ guest: { takesMs: 100, answersMs: 1000 } });
    expect(plugDisk(client, 'a')).toEqual(['{}', '{}']);
    expect(evidence(client)).toBe('acknowledged');
    client.clock.advance(50);
    expect(evidence(client)).toBe('enumerated');
    client.clock.advance(50);
    expect(evidence(client)).toBe('live');
    expect(client.ask('device_del', { id: 'a' })).toEqual(['{}']);
    expect(client.ask('device_del', { id: 'a' })).toEqual(['{}']);
    client.clock.advance(999);
    expect(client.heard()).toEqual([]);
    client.clock.advance(1);
    expect(client.heard()).toEqual(deleted('a'));
    expect(client.ask('device_del', { id: 'a' })).toEqual(["DeviceNotFound: Device 'a' not found"]);
    client.clock.advance(10_000);
    expect(client.heard()).toEqual([]);
  });

  test('is deaf, refuses, or lets go by itself', () => {
    const client = talkTo({ guest: { onUnplug: 'ignores' } });
    plugDisk(client, 'a');
    plugDisk(client, 'b', 'port1');
    client.vm.guest.behave('b', { onUnplug: 'refuses' });
    client.ask('device_del', { id: 'a' });
    client.ask('device_del', { id: 'b' });
    client.clock.advance(100_000);
    expect(client.heard()).toEqual([
      'DEVICE_UNPLUG_GUEST_ERROR {"device":"b","path":"/machine/peripheral/b"}',
    ]);
    client.vm.machine.letGo('a');
    expect(client.heard()).toEqual(deleted('a'));
  });

  test('does nothing while it stands still, and all of it afterwards', () => {
    const client = talkTo();
    client.vm.stop();
    plugDisk(client, 'a');
    plugDisk(client, 'b', 'port1');
    client.ask('device_del', { id: 'a' });
    client.clock.advance(100_000);
    expect(evidence(client, 'b')).toBe('acknowledged');
    client.heard();
    client.vm.cont();
    client.clock.advance(100);
    expect(client.heard()).toEqual(['RESUME', ...deleted('a')]);
    expect(evidence(client, 'b')).toBe('live');
  });

  test('that is not up loses a request, and hears the next', () => {
    const client = talkTo({ state: 'booting' });
    plugDisk(client, 'a');
    client.ask('device_del', { id: 'a' });
    client.clock.advance(1000);
    client.vm.guest.boot();
    client.clock.advance(1000);
    expect(client.heard()).toEqual([]);
    expect(evidence(client)).toBe('live');
    client.ask('device_del', { id: 'a' });
    client.clock.advance(1000);
    expect(client.heard()).toEqual(deleted('a'));
  });

  test('of a version that an early request spoils hears none of the next', () => {
    const client = talkTo({ state: 'booting', version: '7.2.1' });
    plugDisk(client, 'a');
    client.ask('device_del', { id: 'a' });
    client.vm.guest.boot();
    client.ask('device_del', { id: 'a' });
    client.clock.advance(100_000);
    expect(client.heard()).toEqual([]);
  });

  test('that reboots has let go of what it was asked to, and takes the rest again', () => {
    const client = talkTo({ guest: { onUnplug: 'ignores', bootsMs: 5000 } });
    plugDisk(client, 'a');
    plugDisk(client, 'b', 'port1');
    client.clock.advance(1000);
    client.ask('device_del', { id: 'a' });
    client.vm.reset();
    expect(client.heard()).toEqual(['RESET {"guest":true,"reason":"guest-reset"}', ...deleted('a')]);
    expect(evidence(client, 'b')).toBe('acknowledged');
    client.clock.advance(6000);
    expect(evidence(client, 'b')).toBe('live');
  });
});

describe('a guest behind native ports', () => {
  test('lets go after its 5 s, and is busy meanwhile', () => {
    const client = talkTo({ machine: 'q35-native', guest: { answersMs: 1200 } });
    plugDisk(client, 'a');
    client.clock.advance(1000);
    expect(client.ask('device_del', { id: 'a' })).toEqual(['{}']);
    expect(client.ask('device_del', { id: 'a' })).toEqual(['Device a is already in the process of unplug']);
    client.clock.advance(5000);
    expect(client.ask('device_del', { id: 'a' })).toEqual([
      'Hot-unplug failed: guest is busy (power indicator blinking)',
    ]);
    client.clock.advance(1200);
    expect(client.heard()).toEqual(deleted('a'));
  });

  test('that is not up finds the button pressed when it comes up', () => {
    const client = talkTo({ machine: 'virt', state: 'booting' });
    plugDisk(client, 'a');
    client.ask('device_del', { id: 'a' });
    client.clock.advance(10_000);
    client.vm.guest.boot();
    expect(client.ask('device_del', { id: 'a' })).toEqual([
      'Hot-unplug failed: guest is busy (power indicator blinking)',
    ]);
    client.clock.advance(3000);
    expect(client.heard()).toEqual(deleted('a'));
  });
});

describe('what differs from version to version', () => {
  const second = { driver: 'virtio-net-pci', id: 'n', bus: 'port0' };
  test('7.2 lets a second device on a port, where no guest sees it', () => {
    const client = talkTo();
    plugDisk(client, 'a');
    expect(client.ask('device_add', { ...second, addr: '0' })).toEqual([
      'PCI: slot 0 function 0 not available for virtio-net-pci, in use by virtio-blk-pci,id=a',
    ]);
    expect(client.ask('device_add', second)).toEqual(['{}']);
    client.ask('device_del', { id: 'n' });
    client.clock.advance(100_000);
    expect(client.heard()).toEqual([]);
    expect(evidence(client, 'n')).toBe('acknowledged');
  });

  test('10.0 does not, and wants its types', () => {
    const client = talkTo({ version: '10.0.2' });
    plugDisk(client, 'a');
    const full =
      'PCI: slot 0 function 0 already occupied by virtio-blk-pci, new func virtio-net-pci cannot be exposed to guest.';
    expect(client.ask('device_add', second)).toEqual([full]);
    expect(client.ask('device_add', { ...second, addr: '1' })).toEqual([full]);
    const typed = { driver: 'virtio-blk-pci', id: 'b', bus: 'port1' };
    expect(client.ask('device_add', { ...typed, 'num-queues': '2' })).toEqual([
      "Parameter 'num-queues' expects uint64",
    ]);
    expect(client.ask('device_add', { ...typed, 'share-rw': 'on' })).toEqual([
      "Invalid parameter type for 'share-rw', expected: boolean",
    ]);
    expect(client.ask('device_add', { ...typed, nosuch: 1 })).toEqual([
      "Property 'virtio-blk-pci.nosuch' not found",
    ]);
  });
});
