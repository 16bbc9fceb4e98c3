import { describe, expect, test } from 'vitest';
import type { GuestName } from './guests.ts';
import { TrapVm, versions } from './traps.testing.ts';

const noRootBus = ['-global', 'PIIX4_PM.acpi-root-pci-hotplug=off'];
const noAcpiBridges = ['-global', 'PIIX4_PM.acpi-pci-hotplug-with-bridge-support=off'];
const bridge = (id: string, ...more: string[]): string[] => [
  '-device',
  ['pci-bridge', `id=${id}`, 'chassis_nr=7', ...more].join(','),
];
/** Of a pc's 32 slots the host bridge and the machine's own functions take the first two. */
const fillers = (count: number): string[] =>
  Array.from({ length: count }, () => ['-device', 'pci-testdev']).flat();

describe.each(versions)('on QEMU $qemu', ({ at }) => {
  const disk = (bus: string) => ({ driver: 'virtio-rng-pci', id: 'theirs', bus, addr: '3' });

  test('a pci-bridge with shpc=off is refused, though QEMU would take the device, which no guest would see', async () => {
    await using vm = await TrapVm.start(`pc${at}`, ['-S', ...noRootBus, ...bridge('blind', 'shpc=off')]);
    const error = await vm.refused(vm.lab.image('a.img'));
    expect(error.code).toBe('bus-not-hotpluggable');
    expect(error.reason).toMatch(/blind: .*shpc=off/);
    expect(await vm.tell('device_add', disk('blind'))).toEqual({});
  });

  test('a pci-bridge with shpc=off beside one without: only the other one is used', async () => {
    await using vm = await TrapVm.start(`pc-bridge${at}`, [
      '-S',
      ...noRootBus,
      ...bridge('blind', 'shpc=off'),
    ]);
    expect((await vm.attach(vm.lab.image('a.img'))).place).toMatchObject({ bus: 'br0' });
  });

  test('a bridge whose hot-plug is SHPC is refused with the reason, though QEMU would take the device', async () => {
    await using vm = await TrapVm.start(`pc-bridge${at}`, ['-S', ...noAcpiBridges, ...fillers(29)]);
    const error = await vm.refused(vm.lab.image('a.img'));
    expect(error).toMatchObject({ code: 'no-free-place', facts: { total: 31 } });
    const { live } = await vm.vmplug.inspectSandbox('vm1');
    expect(live?.buses.find(({ name }) => name === 'br0')?.refuses).toMatch(/^SHPC: /);
    expect(await vm.tell('device_add', disk('br0'))).toEqual({});
  });

  test('a pcie-pci-bridge below a native port, which is SHPC, is passed by for a port', async () => {
    const below: GuestName = `q35-native${at}`;
    const bridges = ['-device', 'pcie-pci-bridge,id=below,bus=rp3'];
    await using vm = await TrapVm.start(below, ['-S', ...bridges]);
    for (const bus of ['rp2', 'rp1', 'rp0']) {
      expect((await vm.attach(vm.lab.image(`${bus}.img`))).place).toMatchObject({ bus });
    }
    expect(await vm.refused(vm.lab.image('one-more.img'))).toMatchObject({
      code: 'no-free-place',
      facts: { total: 4, free: 0 },
    });
  });

  test('a bridge with neither ACPI nor SHPC, a port with hotplug=off and the root complex are refused', async () => {
    const fixed = ['-device', 'pcie-root-port,id=fixed,chassis=9,slot=9,hotplug=off'];
    const taken = ['rp0', 'rp1', 'rp2', 'rp3'].flatMap((bus) => ['-device', `virtio-rng-pci,bus=${bus}`]);
    await using q35 = await TrapVm.start(`q35${at}`, ['-S', ...fixed, ...taken]);
    expect(await q35.refused(q35.lab.image('a.img'))).toMatchObject({ code: 'no-free-place' });
    for (const bus of ['fixed', 'pcie.0']) {
      expect(await q35.tell('device_add', disk(bus))).toMatch(/does not support hotplugging/);
    }
    await using pc = await TrapVm.start(`pc${at}`, [
      ...['-S', ...noAcpiBridges, ...bridge('dead', 'shpc=off')],
      ...fillers(29),
    ]);
    expect(await pc.refused(pc.lab.image('a.img'))).toMatchObject({ code: 'no-free-place' });
    expect(await pc.tell('device_add', disk('dead'))).toMatch(/does not support hotplugging/);
  });

  test('pc with ACPI hot-plug off everywhere: its bridges are refused, though QEMU 7.2 takes the device, which no guest would see', async () => {
    const off = ['-S', ...noRootBus, ...noAcpiBridges];
    await using vm = await TrapVm.start(`pc${at}`, [...off, ...bridge('unseen')]);
    const error = await vm.refused(vm.lab.image('a.img'));
    expect(error).toMatchObject({
      code: 'bus-not-hotpluggable',
      reason: expect.stringContaining('unseen: '),
    });
    expect(await vm.tell('device_add', disk('unseen'))).toEqual({});
  });

  test('a full root bus is said to be full, with how many places there are, and nothing is sent', async () => {
    await using vm = await TrapVm.start(`pc${at}`, ['-S', ...fillers(30)]);
    const error = await vm.refused(vm.lab.image('a.img'));
    expect(error).toMatchObject({ code: 'no-free-place', facts: { total: 31, free: 0 } });
    expect(await vm.tell('device_add', { driver: 'virtio-rng-pci', id: 'theirs' })).toMatch(
      /no slot\/function available/,
    );
  });
});
