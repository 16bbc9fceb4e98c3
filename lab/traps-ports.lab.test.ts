import { describe, expect, test } from 'vitest';
import { TrapVm, versions } from './traps.testing.ts';

const rng = (bus: string, more: object = {}) => ({ driver: 'virtio-rng-pci', bus, ...more });
const ports = ['rp0', 'rp1', 'rp2', 'rp3'];

describe.each(versions)('on QEMU $qemu', ({ qemu, at }) => {
  const isOld = qemu === '7.2';

  test.each(['q35', 'q35-native'] as const)(
    'an occupied root port of %s is never given a second device, though QEMU 7.2 would take it',
    async (machine) => {
      await using vm = await TrapVm.start(`${machine}${at}`);
      for (const bus of ports)
        expect(await vm.tell('device_add', rng(bus, { id: `their-${bus}` }))).toEqual({});
      const error = await vm.refused(vm.lab.image('a.img'));
      expect(error).toMatchObject({ code: 'no-free-place', facts: { total: 4, free: 0 } });
      const second = await vm.tell('device_add', rng('rp0', { id: 'second' }));
      if (isOld) expect(second).toEqual({});
      else expect(second).toMatch(/already occupied/);
    },
  );

  test('a device that somebody put at address 1 of an empty port: the port counts as taken', async () => {
    await using vm = await TrapVm.start(`q35${at}`);
    for (const bus of ['rp3', 'rp2']) {
      const reply = await vm.tell('device_add', rng(bus, { id: `unseen-${bus}`, addr: '1' }));
      expect(reply).toEqual({});
    }
    expect((await vm.attach(vm.lab.image('a.img'))).place).toMatchObject({ bus: 'rp1', slot: 0 });
    expect((await vm.attach(vm.lab.image('b.img'))).place).toMatchObject({ bus: 'rp0', slot: 0 });
    expect(await vm.refused(vm.lab.image('c.img'))).toMatchObject({ code: 'no-free-place' });
  });

  test('a port that somebody fills between the look and the plug: another one is taken', async () => {
    await using vm = await TrapVm.start(`q35${at}`);
    expect((await vm.attach(vm.lab.image('a.img'))).place).toMatchObject({ bus: 'rp3' });
    // The connection is kept, and with it what was seen of the buses.
    expect(await vm.tell('device_add', rng('rp2', { id: 'theirs' }))).toEqual({});
    const moved = await vm.attach(vm.lab.image('b.img'));
    expect(moved).toMatchObject({ state: 'attached', place: { bus: 'rp1', slot: 0 }, generation: 2 });
    const { nodes, devices } = await vm.has();
    expect(nodes).toHaveLength(4);
    expect(devices.filter((name) => name.startsWith('vmplug-'))).toHaveLength(2);
    expect(await vm.vmplug.doctor()).toMatchObject([
      { problem: 'foreign-device', device: 'theirs', isNote: true },
    ]);
  });

  test('the address is in every command that plugs, though QEMU would find one by itself', async () => {
    for (const [machine, bus, addr] of [
      ['q35', 'rp3', '00'],
      ['pc', 'pci.0', '1f'],
    ] as const) {
      await using vm = await TrapVm.start(`${machine}${at}`);
      const { plan } = await vm.vmplug.planAttach('vm1', vm.lab.image('a.img'), { wait: 'acknowledged' });
      expect(plan.steps.at(-1)?.run).toMatchObject({ execute: 'device_add', arguments: { bus, addr } });
    }
  });

  test('a name is never used again, and a second device of the same name is not ours', async () => {
    await using vm = await TrapVm.start(`pc${at}`, ['-S', '-device', 'virtio-scsi-pci,id=hba']);
    const image = vm.lab.image('a.img');
    const names = [];
    for (const _ of [1, 2, 3]) {
      const { plan, id } = await vm.attach(image, { driver: 'virtio-scsi' });
      names.push(plan.vmmId);
      expect(await vm.tell('device_add', rng('pci.0', { id: plan.vmmId }))).toMatch(/Duplicate device ID/);
      await vm.vmplug.detach('vm1', id);
    }
    expect(new Set(names).size).toBe(3);
  });
});
