import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { refusalOf, refused, rootPort, tellVmm, vmmHas } from './errors.testing.ts';
import { startForeignQemu } from './foreign-qemu.ts';
import { Lab } from './harness.ts';

interface Device {
  id: string;
  state: string;
  evidence: string | null;
}

const stateOf = async (lab: Lab, id: string): Promise<Device | undefined> =>
  (await lab.ok<{ devices: Device[] }>('ls')).devices.find((device) => device.id === id);

describe('a guest that never lets go', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = new Lab();
    // The kernel takes no hot-plug events: what is there at boot is there for good.
    await lab.run('vm1', '--ports', '2', '--append', 'acpiphp.disable=1');
    await lab.run('vm2', '--ports', '1');
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test('the detach ends at its deadline, and all stays reserved until the guest has let go', async () => {
    const { socket } = lab.sandbox('vm1');
    const image = lab.image('kept.img');
    const { id } = await lab.ok<Device>('attach', 'vm1', image, '--wait', 'acknowledged');
    const error = await refused(lab, 'deadline-passed', 'detach', 'vm1', id, '--timeout', '2s');
    expect(error).toMatchObject({
      message: expect.stringContaining(image),
      reason: expect.stringContaining('stays reserved'),
      hint: expect.stringContaining(`vmplug detach vm1 ${id}`),
      facts: { outcome: 'expired', device: id },
    });
    expect(await stateOf(lab, id)).toMatchObject({ state: 'detaching' });
    expect((await vmmHas(socket)).nodes).toHaveLength(2);

    const elsewhere = await refused(lab, 'claimed-elsewhere', 'attach', 'vm2', image);
    expect(elsewhere.facts).toMatchObject({ holder: 'vm1', device: id });
    await refused(lab, 'already-attached', 'attach', 'vm1', image);
    const other = await lab.ok<Device & { place: { bus: string } }>(
      'attach',
      'vm1',
      lab.image('other.img'),
      '--wait',
      'acknowledged',
    );
    expect(other.place.bus).toBe('port1');
    await refused(lab, 'no-free-place', 'attach', 'vm1', lab.image('more.img'), '--wait', 'acknowledged');

    const doctor = await lab.vmplug('doctor', '--json');
    expect(doctor.code).toBe(1);
    expect(doctor.json()).toMatchObject({ ok: false, findings: [{ problem: 'unsettled', device: id }] });

    // A reset of the VM carries out what was asked for: QEMU takes the device out.
    await tellVmm(socket, ['set-action', { reboot: 'reset' }], ['system_reset']);
    await expect
      .poll(async () => (await vmmHas(socket)).devices, { timeout: 10_000 })
      .not.toContain(`vmplug-${id}-1`);
    expect(await lab.ok('detach', 'vm1', id)).toMatchObject({ id, state: 'released' });
    expect(await stateOf(lab, id)).toBeUndefined();
    expect((await vmmHas(socket)).nodes).toHaveLength(2);
    expect(await lab.ok('attach', 'vm2', image)).toMatchObject({ evidence: 'live' });
  });

  test('ctrl-C while a detach waits ends it promptly; the request stands', async () => {
    await using own = new Lab();
    await own.run('vm1', '--ports', '1', '--append', 'acpiphp.disable=1');
    const { id } = await own.ok<Device>('attach', 'vm1', own.image('a.img'), '--wait', 'acknowledged');
    const detach = own.start('detach', 'vm1', id, '--json', '--timeout', '60s');
    try {
      await expect.poll(async () => (await stateOf(own, id))?.state, { timeout: 10_000 }).toBe('detaching');
      const interrupted = performance.now();
      detach.kill('SIGINT');
      const error = refusalOf(await detach.ended, 'aborted');
      expect(performance.now() - interrupted).toBeLessThan(3000);
      expect(error.hint).toContain(`vmplug detach vm1 ${id}`);
    } finally {
      detach.kill();
      await detach.ended;
    }
    expect(await stateOf(own, id)).toMatchObject({ state: 'detaching' });
    expect((await vmmHas(own.sandbox('vm1').socket)).nodes).toHaveLength(2);
  });

  test('what comes late is settled by the next command on that sandbox', async () => {
    await using own = new Lab();
    await own.run('vm1', '--ports', '1', '--append', 'acpiphp.disable=1');
    const { socket } = own.sandbox('vm1');
    const { id } = await own.ok<Device>('attach', 'vm1', own.image('late.img'), '--wait', 'acknowledged');
    await refused(own, 'deadline-passed', 'detach', 'vm1', id, '--timeout', '1500ms');
    await tellVmm(socket, ['set-action', { reboot: 'reset' }], ['system_reset']);
    await expect.poll(async () => (await vmmHas(socket)).devices).not.toContain(`vmplug-${id}-1`);
    const next = await own.ok<Device>('attach', 'vm1', own.image('next.img'), '--wait', 'acknowledged');
    expect((await own.ok<{ devices: Device[] }>('ls')).devices).toMatchObject([{ id: next.id }]);
    expect((await vmmHas(socket)).nodes).toHaveLength(2);
  });
});

describe('a guest that takes six seconds to let go', () => {
  test('a first detach that is too short is finished by a second one', async () => {
    await using lab = new Lab();
    mkdirSync(lab.path('native'));
    await using vm = await startForeignQemu(lab.path('native'), [
      ...['-machine', 'q35', '-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off'],
      ...rootPort('port0', 2),
    ]);
    await lab.ok('sandbox', 'adopt', 'native', '--qmp', vm.qmp);
    const { id, evidence } = await lab.ok<Device>('attach', 'native', lab.image('a.img'));
    expect(evidence).toBe('live');
    await refused(lab, 'deadline-passed', 'detach', 'native', id, '--timeout', '500ms');
    expect(await stateOf(lab, id)).toMatchObject({ state: 'detaching' });
    expect(await lab.ok('detach', 'native', id, '--timeout', '30s')).toMatchObject({ state: 'released' });
    expect(await vmmHas(vm.qmp)).toMatchObject({ nodes: [] });

    // While the port's power indicator blinks, QEMU says that the guest is busy: it is asked again.
    const hasty = await lab.ok<Device>('attach', 'native', lab.image('b.img'), '--wait', 'acknowledged');
    expect(await lab.ok('detach', 'native', hasty.id, '--timeout', '40s')).toMatchObject({
      state: 'released',
    });
    expect(await vmmHas(vm.qmp)).toMatchObject({ nodes: [] });
    expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
  });
});
