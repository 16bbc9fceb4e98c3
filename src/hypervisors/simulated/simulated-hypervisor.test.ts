import { describe, expect, test } from 'vitest';
import { placeKey } from '../../api/place.ts';
import { connected, limits, node, outcomes, plug, removeNode, unplug } from './commands.testing.ts';
import { rootPorts, SimulatedMachine } from './index.ts';

describe('block nodes and places', () => {
  test('a plug, its evidence, and the way back', async () => {
    const machine = new SimulatedMachine();
    const hypervisor = connected(machine);
    expect(await outcomes(hypervisor, node('a'), plug('a'))).toEqual(['ok', 'ok']);
    const [device] = machine.devices;
    expect(device).toMatchObject({ id: 'a', evidence: 'live', leaving: false });
    expect(await hypervisor.inventory(limits)).toEqual({ devices: ['a'], backends: ['a', 'a-f'] });
    expect(
      await outcomes(hypervisor, removeNode('a'), unplug('a'), removeNode('a'), removeNode('a')),
    ).toEqual([
      'vmm-refused: Node a is in use',
      'ok',
      'ok',
      "vmm-refused: Failed to find node with node-name='a'",
    ]);
    expect(await hypervisor.inventory(limits)).toEqual({ devices: [], backends: [] });
  });

  test('duplicates are refused: node names, ids, places, two devices on a node', async () => {
    const hypervisor = connected(new SimulatedMachine());
    await outcomes(hypervisor, node('a'), plug('a'), node('b'));
    expect(await outcomes(hypervisor, node('a'), plug('a', 'port1'), plug('b'), plug('zz', 'port1'))).toEqual(
      [
        "vmm-refused: Duplicate nodes with node-name='a-f'",
        "vmm-refused: Duplicate device ID 'a'",
        'vmm-refused: PCI: slot 0 function 0 not available for virtio-blk-pci, in use by virtio-blk-pci,id=a',
        "vmm-refused: Property 'virtio-blk-device.drive' can't find value 'zz'",
      ],
    );
    expect(await outcomes(hypervisor, node('x'.repeat(32)), { execute: 'quit-now' })).toEqual([
      `vmm-refused: Node name '${'x'.repeat(32)}-f' too long`,
      'vmm-refused: The command quit-now has not been found',
    ]);
  });

  test('a raw image that another process has locked is refused when a device uses it, qcow2 when it is opened', async () => {
    const machine = new SimulatedMachine();
    machine.nodes.lock('/disk');
    const hypervisor = connected(machine);
    expect(await outcomes(hypervisor, node('a'), plug('a'))).toEqual([
      'ok',
      'vmm-refused: Failed to get "write" lock',
    ]);
    const qcow2 = { ...node('b'), arguments: { ...node('b').arguments, driver: 'qcow2' } };
    expect(await outcomes(hypervisor, qcow2)).toEqual(['vmm-refused: Failed to get "write" lock']);
    machine.nodes.unlock('/disk');
    expect(await outcomes(hypervisor, qcow2)).toEqual(['ok']);
  });

  test('the picture of the buses is as old as the last look, and vacated by events', async () => {
    const machine = new SimulatedMachine({ buses: rootPorts(2) });
    const hypervisor = connected(machine);
    await hypervisor.buses(limits);
    machine.plugForeign('theirs', 'pci:port1:00');
    const taken = async (fresh = false): Promise<string[]> =>
      (await hypervisor.buses({ ...limits, fresh })).flatMap((bus) => [...bus.taken.keys()]);
    expect(await taken()).toEqual([]);
    expect(await taken(true)).toEqual(['pci:port1:00']);
    machine.letGo('theirs');
    expect(await taken()).toEqual([]);
    const [bus] = await hypervisor.buses(limits);
    expect([...(bus?.places ?? [])].map(placeKey)).toEqual(['pci:port0:00']);
  });
});

describe('the guest', () => {
  test('gets as far as it is told, and lets go when it is told', async () => {
    const machine = new SimulatedMachine({ guest: { onPlug: 'acknowledged', onUnplug: 'ignores' } });
    const hypervisor = connected(machine);
    const heard: string[] = [];
    hypervisor.onDeviceEvent('a', (event) => heard.push(event));
    await outcomes(hypervisor, node('a'), plug('a'));
    const place = machine.device('a')?.place ?? expect.fail('no device');
    const evidence = async (): Promise<unknown> => (await hypervisor.observe('a', place, limits)).evidence;
    expect(await evidence()).toBe('acknowledged');
    machine.advance('a', 'enumerated');
    expect(await evidence()).toBe('enumerated');
    expect(await hypervisor.requestUnplug(unplug('a'), limits)).toBe('requested');
    expect(machine.device('a')).toMatchObject({ leaving: true });
    machine.letGo('a');
    expect(await hypervisor.observe('a', place, limits)).toEqual({ present: false, best: 'live', guest: {} });
    expect(await hypervisor.requestUnplug(unplug('a'), limits)).toBe('gone');
    expect(heard).toEqual(['removed']);
  });

  test('refuses, and a second native request is pending', async () => {
    const machine = new SimulatedMachine({
      buses: rootPorts(2, 'pcie-native'),
      guest: { onUnplug: 'ignores' },
    });
    const hypervisor = connected(machine);
    await outcomes(hypervisor, node('a'), plug('a'), node('b'), plug('b', 'port1'));
    expect(await hypervisor.requestUnplug(unplug('a'), limits)).toBe('requested');
    expect(await hypervisor.requestUnplug(unplug('a'), limits)).toBe('pending');
    const heard: string[] = [];
    hypervisor.onDeviceEvent('b', (event) => heard.push(event));
    machine.behave('b', { onUnplug: 'refuses' });
    await hypervisor.requestUnplug(unplug('b'), limits);
    expect(heard).toEqual(['removal-refused']);
  });

  test('stands still while paused, and answers when it runs again', async () => {
    const machine = new SimulatedMachine();
    const hypervisor = connected(machine);
    machine.pause();
    await outcomes(hypervisor, node('a'), plug('a'), node('b'), plug('b', 'port1'), unplug('a'));
    expect(machine.devices.map(({ id, evidence }) => [id, evidence])).toEqual([
      ['a', 'acknowledged'],
      ['b', 'acknowledged'],
    ]);
    machine.resume();
    expect(machine.devices.map(({ id, evidence }) => [id, evidence])).toEqual([['b', 'live']]);
  });

  test('an immediate bus asks nobody', async () => {
    const machine = new SimulatedMachine({ guest: { onUnplug: 'ignores' } });
    const hypervisor = connected(machine);
    const arguments_ = {
      driver: 'scsi-hd',
      id: 'a',
      bus: 'scsi0.0',
      channel: 0,
      'scsi-id': 0,
      lun: 3,
      drive: 'a',
    };
    await outcomes(hypervisor, node('a'), { execute: 'device_add', arguments: arguments_ }, unplug('a'));
    expect(machine.devices).toEqual([]);
  });
});

describe('faults', () => {
  test('refusals, once and after some that go well', async () => {
    const machine = new SimulatedMachine();
    const hypervisor = connected(machine);
    machine.fail({ on: 'blockdev-add', after: 1, do: 'refuse', text: 'no', meaning: 'locked' });
    expect(await outcomes(hypervisor, node('a'), node('b'), node('c'))).toEqual([
      'ok',
      'vmm-refused: no',
      'ok',
    ]);
    expect(machine.faults.pending).toEqual([]);
    expect(machine.count('blockdev-add')).toBe(2);
  });

  test.each([
    [true, ['a', 'a-f']],
    [false, []],
  ])(
    'a connection lost after the command went out (executed: %s) cuts off the batch',
    async (executed, left) => {
      const machine = new SimulatedMachine();
      const hypervisor = connected(machine);
      let heard = 0;
      hypervisor.onLost(() => (heard += 1));
      machine.fail({ on: 'blockdev-add', do: 'lose', executed });
      expect(await outcomes(hypervisor, node('a'), plug('a'))).toEqual([
        'outcome-unknown: it was sent, and then the connection was lost',
        'outcome-unknown: it was sent, and then the connection was lost',
      ]);
      expect(heard).toBe(1);
      expect(machine.nodes.names).toEqual(left);
      expect(await hypervisor.status(limits)).toBe('running');
    },
  );

  test('no answer: until the deadline, a shorter wait or the signal; others are answered meanwhile', async () => {
    const machine = new SimulatedMachine();
    const hypervisor = connected(machine);
    machine.fail({ on: 'status', do: 'no-answer', executed: false, waitMs: 1 });
    await expect(hypervisor.status(limits)).rejects.toMatchObject({
      code: 'deadline-passed',
      facts: { sent: true },
    });
    machine.fail({ on: 'status', do: 'no-answer', executed: false });
    const controller = new AbortController();
    const waiting = hypervisor.status({ ...limits, signal: controller.signal });
    expect(await hypervisor.inventory(limits)).toEqual({ devices: [], backends: [] });
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
  });

  test('unsent, and a VM that ends', async () => {
    const machine = new SimulatedMachine();
    const hypervisor = connected(machine);
    machine.fail({ on: 'blockdev-add', do: 'unsent' });
    const replies = await Promise.allSettled(hypervisor.submit([node('a'), plug('a')], limits));
    for (const reply of replies) expect(reply).toMatchObject({ reason: { facts: { sent: false } } });
    machine.die();
    await expect(hypervisor.status(limits)).rejects.toMatchObject({ code: 'vm-gone' });
  });

  test('listeners are gone after they were stopped', async () => {
    const machine = new SimulatedMachine();
    await using hypervisor = connected(machine);
    const stop = [hypervisor.onDeviceEvent('a', () => undefined), hypervisor.onLost(() => undefined)];
    expect(hypervisor.listeners).toBe(2);
    for (const each of stop) each();
    expect(hypervisor.listeners).toBe(0);
  });
});
