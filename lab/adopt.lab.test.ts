import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startForeignQemu } from './foreign-qemu.ts';
import { execInGuest } from './guest/index.ts';
import { Lab } from './harness.ts';

interface Device {
  readonly id: string;
  readonly serial: string;
  readonly evidence: string;
  readonly place: { readonly bus: string };
}

interface Sandbox {
  readonly places: { readonly pci: { total: number; free: number }; readonly scsi: { total: number } };
  readonly buses: { name: string; refuses: string | null; taken: number }[];
}

/** Of 32 slots, pc itself takes 2; the controller and the bridge of the test the next 2. */
const freeSlotsOfPc = 28;

describe('a VM that somebody else started', () => {
  let lab: Lab;

  beforeEach(() => {
    lab = new Lab();
  });
  afterEach(() => lab[Symbol.asyncDispose]());

  async function plugAndUnplug(exec: string, driver: string): Promise<Device> {
    const image = lab.image(`${driver}.img`);
    const device = await lab.ok<Device>('attach', 'vm', image, '--driver', driver);
    expect(device.evidence).toBe('live');
    const { stdout } = await execInGuest(exec, 'disks', { timeoutMs: 60_000 });
    expect(stdout.toString()).toContain(device.serial);
    await lab.ok('detach', 'vm', device.id);
    const after = await execInGuest(exec, 'disks', { timeoutMs: 60_000 });
    expect(after.stdout.toString()).not.toContain(device.serial);
    return device;
  }

  test('pc, nothing added: its root bus takes disks, and there is no SCSI controller', async () => {
    await using qemu = await startForeignQemu(lab.directory, ['-machine', 'pc']);
    await lab.ok('sandbox', 'adopt', 'vm', '--qmp', qemu.qmp);
    const { places } = await lab.ok<Sandbox>('sandbox', 'inspect', 'vm');
    expect(places.scsi.total).toBe(0);
    expect(places.pci.free).toBeGreaterThan(20);
    expect((await plugAndUnplug(qemu.exec, 'virtio-blk')).place.bus).toBe('pci.0');
    const refused = await lab.vmplug('attach', 'vm', lab.image('x.img'), '--driver', 'virtio-scsi', '--json');
    expect(refused.code).toBe(4);
    expect(refused.json()).toMatchObject({ error: { code: 'no-free-place', facts: { total: 0 } } });
  });

  test('pc with a PCI-PCI bridge and a SCSI controller: a full root bus overflows to the bridge', async () => {
    await using qemu = await startForeignQemu(lab.directory, [
      ...['-machine', 'pc', '-device', 'virtio-scsi-pci,id=hba', '-device', 'pci-bridge,id=br0,chassis_nr=1'],
      ...Array.from({ length: freeSlotsOfPc }, () => ['-device', 'virtio-rng-pci']).flat(),
    ]);
    await lab.ok('sandbox', 'adopt', 'vm', '--qmp', qemu.qmp);
    const { buses } = await lab.ok<Sandbox>('sandbox', 'inspect', 'vm');
    expect(buses.map(({ name }) => name)).toEqual(expect.arrayContaining(['pci.0', 'br0', 'hba.0']));
    await plugAndUnplug(qemu.exec, 'virtio-scsi');
    expect((await plugAndUnplug(qemu.exec, 'virtio-blk')).place.bus).toBe('br0');
  });

  test('q35 without ports: nothing on it takes hot-plug, which is said', async () => {
    await using qemu = await startForeignQemu(lab.directory, ['-machine', 'q35']);
    await lab.ok('sandbox', 'adopt', 'vm', '--qmp', qemu.qmp);
    const refused = await lab.vmplug('attach', 'vm', lab.image('x.img'), '--json');
    expect(refused.code).toBe(4);
    expect(refused.json()).toMatchObject({ error: { code: 'bus-not-hotpluggable' } });
  });

  test('q35 with ports of every kind: only the free one that takes hot-plug is used', async () => {
    await using qemu = await startForeignQemu(lab.directory, [
      ...['-machine', 'q35'],
      ...['-device', 'pcie-root-port,id=off,chassis=1,slot=1,hotplug=off'],
      ...['-device', 'pcie-root-port,id=full,chassis=2,slot=2', '-device', 'virtio-rng-pci,bus=full'],
      ...['-device', 'pcie-root-port,chassis=3,slot=3'],
      ...['-device', 'pcie-root-port,id=free,chassis=4,slot=4'],
    ]);
    await lab.ok('sandbox', 'adopt', 'vm', '--qmp', qemu.qmp);
    const { places } = await lab.ok<Sandbox>('sandbox', 'inspect', 'vm');
    expect(places.pci.free).toBe(1);
    expect((await plugAndUnplug(qemu.exec, 'virtio-blk')).place.bus).toBe('free');
    await lab.ok('attach', 'vm', lab.image('first.img'));
    const second = await lab.vmplug('attach', 'vm', lab.image('second.img'), '--json');
    expect(second.code).toBe(4);
    expect(second.json()).toMatchObject({ error: { code: 'no-free-place', facts: { total: 2 } } });
    await lab.ok('detach', 'vm', lab.path('first.img'));
  });

  test('q35 with native hot-plug: the unplug takes its seconds and is confirmed', async () => {
    await using qemu = await startForeignQemu(lab.directory, [
      ...['-machine', 'q35', '-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off'],
      ...['-device', 'pcie-root-port,id=rp,chassis=1,slot=1'],
    ]);
    await lab.ok('sandbox', 'adopt', 'vm', '--qmp', qemu.qmp);
    await plugAndUnplug(qemu.exec, 'virtio-blk');
  });

  test('adopting does not touch the VM, and stopping it is left to its owner', async () => {
    await using qemu = await startForeignQemu(lab.directory, ['-machine', 'q35'], { waits: false });
    await lab.ok('sandbox', 'adopt', 'vm', '--qmp', qemu.qmp);
    const again = await lab.vmplug('sandbox', 'adopt', 'vm2', '--qmp', qemu.qmp, '--json');
    expect(again.json()).toMatchObject({ error: { code: 'sandbox-exists', facts: { sandbox: 'vm' } } });
    const stop = await lab.vmplug('sandbox', 'stop', 'vm', '--json');
    expect(stop.code).toBe(4);
    await lab.ok('sandbox', 'forget', 'vm');
    expect(() => process.kill(qemu.pid, 0)).not.toThrow();
  });
});
