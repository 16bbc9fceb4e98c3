import { afterAll, beforeAll, expect, test } from 'vitest';
import { QemuHypervisor } from '../src/hypervisors/qemu/index.ts';
import { Vmplug } from '../src/manager/vmplug.ts';
import { errorOf } from '../src/operations/bench.testing.ts';
import { runPlan } from '../src/operations/run-plan.ts';
import { backEndDies, chardevs } from './back-ends/lost.testing.ts';
import { inGuest, qemuVersion, serveCard, type Device } from './back-ends/served.testing.ts';
import { changesNothing, refused, tellVmm } from './errors.testing.ts';
import { Lab } from './harness.ts';
import { seen } from './seen.ts';
import { ensurePackages, qemuPackages } from './setup/packages.ts';

const mac = '52:54:00:aa:00:01';

let lab: Lab;
let qemu: string;
beforeAll(async () => {
  await ensurePackages(qemuPackages);
  lab = new Lab();
  await lab.run('vm1', '--shared-memory', '--ports', '2');
  qemu = await qemuVersion(lab, 'vm1');
});
afterAll(() => lab[Symbol.asyncDispose]());

const found = { kind: 'vhost-user-net', machine: 'q35', evidence: 'live', address: 'MAC' } as const;

test('a card before testpmd: frames cross both ways, and nothing of it is left', async (context) => {
  await using card = await serveCard(lab, 'card', mac);
  await changesNothing(lab, ['vm1'], async () => {
    const device = await lab.ok<Device>('attach', 'vm1', ...card.attach);
    expect(device).toMatchObject({ kind: 'vhost-user-net', state: 'attached', evidence: 'live' });
    expect(device.guest).toMatchObject({ mac });
    // With MSI-X, QEMU 7.2 under TCG ends when the guest brings such a card up.
    const path = `/machine/peripheral/${device.vmmId}`;
    const [vectors] = await tellVmm(lab.sandbox('vm1').socket, ['qom-get', { path, property: 'vectors' }]);
    if (qemu.startsWith('7.')) expect(vectors).toBe(0);
    await card.use('vm1', device);
    seen(context, { ...found, way: 'hot-plug', qemu });

    expect(await lab.ok<Device>('detach', 'vm1', device.id)).toMatchObject({ state: 'released' });
    seen(context, { ...found, way: 'unplug', qemu });
    expect(await chardevs(lab, 'vm1')).toEqual([]);
    expect(await inGuest(lab, 'vm1', 'ls /sys/class/net')).toBe('lo\n');
  });
});

test('testpmd dies while the card is up: that is said, the card leaves, and another one can be attached', async () => {
  await changesNothing(lab, ['vm1'], async () => {
    await using card = await serveCard(lab, 'dying', mac);
    await backEndDies(lab, 'vm1', card);
    await using heir = await serveCard(lab, 'dying', mac);
    const device = await lab.ok<Device>('attach', 'vm1', ...heir.attach);
    await heir.use('vm1', device);
    await lab.ok('detach', 'vm1', device.id);
  });
});

test('a device that QEMU refuses after its network was made: both are taken back, and QEMU lives on', async () => {
  await using card = await serveCard(lab, 'refused', mac);
  const { socket } = lab.sandbox('vm1');
  await changesNothing(lab, ['vm1'], async () => {
    await using vmplug = Vmplug.open({ stateDir: lab.stateDir });
    const planned = await vmplug.planAttach('vm1', `vhost-user-net:${card.backEnd.socket}`, { mac });
    const steps = planned.plan.steps.map((step) => {
      if (step.run.execute !== 'device_add') return step;
      return { ...step, run: { ...step.run, arguments: { ...step.run.arguments, bus: 'nowhere' } } };
    });
    await using hypervisor = await QemuHypervisor.connect(socket, { timeoutMs: 20_000 });
    const attachment = { ...planned, plan: { ...planned.plan, steps } };
    expect(await errorOf(runPlan(hypervisor, attachment))).toMatchObject({ code: 'vmm-refused' });
  });
  expect(await chardevs(lab, 'vm1')).toEqual([]);
  const device = await lab.ok<Device>('attach', 'vm1', ...card.attach);
  await card.use('vm1', device);
  await lab.ok('detach', 'vm1', device.id);
});

test('the network stays until the guest has let go, however often that is settled; without it QEMU 7.2 would abort', async () => {
  // There a guest takes five seconds to let go.
  await lab.adopt('vm2', 'q35-native', [], { sharedMemory: true });
  await using card = await serveCard(lab, 'slow', mac);
  const { socket } = lab.sandbox('vm2');
  await changesNothing(lab, ['vm2'], async () => {
    const { id, vmmId } = await lab.ok<Device>('attach', 'vm2', ...card.attach);
    await refused(lab, 'deadline-passed', 'detach', 'vm2', id, '--timeout', '300ms');
    await tellVmm(socket, ['stop']);
    const doctor = await lab.vmplug('doctor', '--repair', '--json');
    expect(doctor.json()).toMatchObject({ findings: [{ problem: 'unsettled', device: id }] });
    expect(await chardevs(lab, 'vm2')).toEqual([vmmId]);
    await tellVmm(socket, ['cont']);

    expect(await lab.ok('detach', 'vm2', id, '--timeout', '60s')).toMatchObject({ state: 'released' });
    expect(await chardevs(lab, 'vm2')).toEqual([]);
    await inGuest(lab, 'vm2', 'true');
  });
});
