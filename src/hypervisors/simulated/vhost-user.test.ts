import { describe, expect, test } from 'vitest';
import type { Command } from '../../api/plan.ts';
import type { JsonObject } from '../../api/json.ts';
import { add, byId, chardev, connected, limits, outcomes, refusals, unplug } from './commands.testing.ts';
import { everyBus, SimulatedMachine } from './index.ts';

const at = (port: number, more: JsonObject): JsonObject => ({ bus: `port${port}`, addr: '00', ...more });
const netdev = (id: string, chardevId = id): Command => ({
  execute: 'netdev_add',
  arguments: { type: 'vhost-user', id, chardev: chardevId },
});
const card = (id: string, netdevId = id, port = 0): Command =>
  add('virtio-net-pci', id, at(port, { netdev: netdevId, mac: '52:54:00:12:34:56' }));
const everyKind = (): SimulatedMachine => new SimulatedMachine({ buses: everyBus() });

describe.each([
  ['vhost-user-blk-pci', 'vhost-user-blk', 'chardev is mandatory'],
  ['vhost-user-scsi-pci', 'vhost-user-scsi', 'vhost-user-scsi: missing chardev'],
  ['vhost-user-fs-pci', 'vhost-user-fs-device', 'missing chardev'],
])('%s', (model, inner, missing) => {
  const device = (id: string, port: number, chardevId?: string): Command =>
    add(model, id, at(port, { chardev: chardevId, ...(model === 'vhost-user-fs-pci' ? { tag: 't' } : {}) }));

  test('takes its connection, and gives it back when the guest has let go', async () => {
    const machine = everyKind();
    const hypervisor = connected(machine);
    expect(await outcomes(hypervisor, chardev('c'), device('a', 0, 'c'))).toEqual(['ok', 'ok']);
    const place = machine.device('a')?.place ?? expect.fail('no device');
    expect(await hypervisor.observe('a', place, limits)).toEqual({
      present: true,
      evidence: 'live',
      best: 'live',
      guest: { pci: '0000:01:00.0' },
    });
    const replies = hypervisor.submit([byId('chardev-remove', 'c')], limits);
    const [busy] = await Promise.allSettled(replies);
    if (busy?.status !== 'rejected') expect.fail('the connection was removed under its device');
    expect(busy.reason).toMatchObject({ reason: "Chardev 'c' is busy" });
    expect(hypervisor.isStillInUse(busy.reason)).toBe(true);
    expect(refusals(machine, unplug('a'), byId('chardev-remove', 'c'))).toEqual(['ok', 'ok']);
    expect(await hypervisor.inventory(limits)).toEqual({ devices: [], backends: [] });
  });

  test('is refused without a connection, and with a busy one, and then holds nothing', () => {
    const machine = everyKind();
    refusals(machine, chardev('c'), device('a', 0, 'c'), chardev('d'));
    const before = machine.devices;
    expect(
      refusals(
        machine,
        device('b', 1),
        device('b', 1, 'zz'),
        device('b', 1, 'c'),
        device('b', 0, 'd'),
        byId('chardev-remove', 'd'),
      ),
    ).toEqual([
      missing,
      `Property '${inner}.chardev' can't find value 'zz'`,
      `Property '${inner}.chardev' can't take value 'c': Device 'c' is in use`,
      `PCI: slot 0 function 0 not available for ${model}, in use by ${model},id=a`,
      'ok',
    ]);
    expect(machine.devices).toEqual(before);
  });
});

test('a shared file system needs a tag of 36 bytes or less', () => {
  const machine = everyKind();
  const fs = (tag?: string): Command => add('vhost-user-fs-pci', 'a', at(0, { chardev: 'c', tag }));
  expect(refusals(machine, chardev('c'), fs(), fs('x'.repeat(37)), fs('x'.repeat(36)))).toEqual([
    'ok',
    'missing tag property',
    'tag property must be 36 bytes or less',
    'ok',
  ]);
});

test('what a connection is refused for', async () => {
  const machine = everyKind();
  machine.backEnds.chardevs.silence('/run/dead');
  expect(refusals(machine, chardev('c'), chardev('c'), chardev('dead'), byId('chardev-add', 'd'))).toEqual([
    'ok',
    "Chardev with id 'c' already exists",
    "Failed to add chardev 'dead': Failed to connect to '/run/dead': No such file or directory",
    "Parameter 'backend' is missing",
  ]);
  const hypervisor = connected(machine);
  const [gone] = await Promise.allSettled(hypervisor.submit([byId('chardev-remove', 'zz')], limits));
  if (gone?.status !== 'rejected') expect.fail('an unknown connection was removed');
  expect(gone.reason).toMatchObject({ reason: "Chardev 'zz' not found", facts: { class: 'GenericError' } });
  expect(hypervisor.isAlreadyReleased(gone.reason)).toBe(true);
});

describe('network cards', () => {
  test('the network goes after the card, and takes its connection with it', async () => {
    const machine = everyKind();
    const hypervisor = connected(machine);
    expect(await outcomes(hypervisor, chardev('c'), netdev('n', 'c'), card('a', 'n'))).toEqual([
      'ok',
      'ok',
      'ok',
    ]);
    expect(await hypervisor.inventory(limits)).toEqual({ devices: ['a'], backends: ['c', 'n'] });
    expect(
      refusals(
        machine,
        byId('chardev-remove', 'c'),
        unplug('a'),
        byId('netdev_del', 'n'),
        byId('chardev-remove', 'c'),
        byId('netdev_del', 'n'),
      ),
    ).toEqual(["Chardev 'c' is busy", 'ok', 'ok', "Chardev 'c' not found", "Device 'n' not found"]);
    expect(machine.status).toBe('running');
  });

  test('a network deleted under its card is let through, and the VM dies when the card goes', async () => {
    const machine = everyKind();
    const hypervisor = connected(machine);
    await outcomes(hypervisor, chardev('c'), netdev('n', 'c'), card('a', 'n'));
    const heard: string[] = [];
    hypervisor.onDeviceEvent('a', (event) => heard.push(event));
    hypervisor.onLost(() => heard.push('lost'));
    expect(await outcomes(hypervisor, byId('netdev_del', 'n'))).toEqual(['ok']);
    expect(machine.device('a')).toMatchObject({ evidence: 'live' });
    expect(await hypervisor.inventory(limits)).toEqual({ devices: ['a'], backends: [] });
    expect(await outcomes(hypervisor, unplug('a'))).toEqual(['ok']);
    expect(machine.status).toBe('ended');
    expect(heard).toEqual(['lost']);
    await expect(hypervisor.status(limits)).rejects.toMatchObject({ code: 'vm-gone' });
  });

  test('a guest that lets go later dies later, and others do not leave a dead VM', () => {
    const machine = everyKind();
    refusals(machine, chardev('c'), netdev('n', 'c'), card('a', 'n'), chardev('d'));
    refusals(machine, add('vhost-user-blk-pci', 'b', at(1, { chardev: 'd' })));
    machine.pause();
    expect(refusals(machine, byId('netdev_del', 'n'), unplug('a'), unplug('b'))).toEqual(['ok', 'ok', 'ok']);
    expect(machine.status).toBe('paused');
    const heard: string[] = [];
    machine.onEvent((device, event) => heard.push(`${device} ${event}`));
    machine.resume();
    expect(machine.status).toBe('ended');
    expect(heard).toEqual([]);
  });

  test('what a network and a card are refused for', () => {
    const machine = everyKind();
    const typed = (type?: string): Command => ({ execute: 'netdev_add', arguments: { type, id: 'x' } });
    refusals(machine, chardev('c'), netdev('n', 'c'), card('a', 'n'), chardev('d'));
    expect(
      refusals(
        machine,
        typed(),
        typed('nosuch'),
        typed('vhost-user'),
        netdev('x', 'zz'),
        netdev('x', 'c'),
        netdev('n', 'd'),
        card('b', 'zz', 1),
        card('b', 'n', 1),
        byId('chardev-remove', 'd'),
      ),
    ).toEqual([
      "Parameter 'type' is missing",
      "Parameter 'type' does not accept value 'nosuch'",
      "Parameter 'chardev' is missing",
      'chardev "zz" not found',
      "Device 'vhost-user' could not be initialized",
      "Duplicate ID 'n'",
      "Property 'virtio-net-device.netdev' can't find value 'zz'",
      "Property 'virtio-net-device.netdev' can't take value 'n', it's in use",
      'ok',
    ]);
  });

  test('a card without a network is a card without a cable', () => {
    const machine = everyKind();
    expect(refusals(machine, add('virtio-net-pci', 'a', at(0, {})), unplug('a'))).toEqual(['ok', 'ok']);
    expect(machine.status).toBe('running');
  });
});

test('faults hit these commands as any other', async () => {
  const machine = everyKind();
  const hypervisor = connected(machine);
  machine.fail({ on: 'netdev_add', do: 'refuse', text: 'no' });
  machine.fail({ on: 'chardev-remove', do: 'lose', executed: true });
  expect(await outcomes(hypervisor, chardev('c'), netdev('n', 'c'), byId('chardev-remove', 'c'))).toEqual([
    'ok',
    'vmm-refused: no',
    'outcome-unknown: it was sent, and then the connection was lost',
  ]);
  expect(machine.backEnds.names).toEqual([]);
});

test('a connection that is handed over is used up by one character device, or closed', () => {
  const machine = everyKind();
  const named = (execute: string, fdname: string): Command => ({ execute, arguments: { fdname } });
  const backend = { type: 'socket', data: { addr: { type: 'fd', data: { str: 'f' } }, server: false } };
  const use = (id: string): Command => ({ execute: 'chardev-add', arguments: { id, backend } });
  expect(refusals(machine, named('getfd', 'f'), use('c'), use('d'), named('closefd', 'f'))).toEqual([
    'ok',
    'ok',
    "Failed to add chardev 'd': File descriptor named 'f' has not been found",
    "File descriptor named 'f' not found",
  ]);
  expect(refusals(machine, named('getfd', 'g'), named('closefd', 'g'))).toEqual(['ok', 'ok']);
});
