import { mkdirSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { waitForGuest } from './guest/index.ts';
import { changesNothing, refusalOf, refused, rootPort, tellVmm, vmmHas } from './errors.testing.ts';
import { startForeignQemu } from './foreign-qemu.ts';
import { Lab } from './harness.ts';

interface Device {
  id: string;
  state: string;
  evidence: string | null;
  operations: { action: string; state: string }[];
}

const stateOf = async (lab: Lab, id: string): Promise<Device | undefined> =>
  (await lab.ok<{ devices: Device[] }>('ls')).devices.find((device) => device.id === id);

describe('a VM that is paused', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = new Lab();
    await lab.run('vm1', '--ports', '4');
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test('attach and detach are refused at once and nothing is sent; resumed, both work', async () => {
    const { socket } = lab.sandbox('vm1');
    const first = await lab.ok<Device>('attach', 'vm1', lab.image('first.img'));
    const image = lab.image('second.img');
    await tellVmm(socket, ['stop']);

    const started = performance.now();
    const attach = await changesNothing(lab, ['vm1'], () =>
      refused(lab, 'vm-paused', 'attach', 'vm1', image),
    );
    expect(attach).toMatchObject({
      message: expect.stringContaining('vm1'),
      hint: expect.stringContaining('--wait acknowledged'),
    });
    const detach = await changesNothing(lab, ['vm1'], () =>
      refused(lab, 'vm-paused', 'detach', 'vm1', first.id),
    );
    expect(detach).toMatchObject({
      reason: expect.stringContaining('nothing was sent'),
      hint: expect.stringContaining('resume'),
    });
    expect(performance.now() - started).toBeLessThan(8000);
    expect(await stateOf(lab, first.id)).toMatchObject({ state: 'attached', evidence: 'live' });

    const second = await lab.ok<Device>('attach', 'vm1', image, '--wait', 'acknowledged');
    expect(second).toMatchObject({ state: 'attached', evidence: 'acknowledged' });
    await tellVmm(socket, ['cont']);
    await expect.poll(async () => (await lab.disks('vm1')).length, { timeout: 20_000 }).toBe(2);
    for (const { id } of [first, second]) await lab.ok('detach', 'vm1', id);
    expect(await lab.disks('vm1')).toEqual([]);
  });

  test('an unplug that somebody else asked for meanwhile is settled when it runs again', async () => {
    const { socket } = lab.sandbox('vm1');
    const { id } = await lab.ok<Device>('attach', 'vm1', lab.image('slow.img'));
    await tellVmm(socket, ['stop'], ['device_del', { id: await vmmId(lab, id) }]);
    await refused(lab, 'vm-paused', 'detach', 'vm1', id);
    await tellVmm(socket, ['cont']);
    // The guest lets go by a request that vmplug did not send; the detach is told so, or asks itself.
    expect(await lab.ok('detach', 'vm1', id)).toMatchObject({ state: 'released' });
    expect(await vmmHas(socket)).toMatchObject({ nodes: [] });
    expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
  });
});

const vmmId = async (lab: Lab, id: string): Promise<string> =>
  (await lab.ok<{ vmmId: string }>('inspect', id)).vmmId;

describe('a guest without the driver', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = new Lab();
    await lab.run('vm1', '--ports', '2', '--append', 'vmplug.skip=virtio_blk');
  });
  afterEach(async () => {
    for (const { id } of (await lab.ok<{ devices: Device[] }>('ls')).devices)
      await lab.ok('detach', 'vm1', id);
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test('the attach ends at its deadline and says how far it got; the device stays, and can be detached', async () => {
    const image = lab.image('a.img');
    const error = await refused(lab, 'deadline-passed', 'attach', 'vm1', image, '--timeout', '1s');
    expect(error).toMatchObject({
      message: expect.stringContaining(image),
      reason: expect.stringContaining('enumerated'),
      hint: expect.stringContaining('vmplug detach vm1'),
      facts: { evidence: 'enumerated' },
    });
    const id = String(error.facts['device']);
    expect(await stateOf(lab, id)).toMatchObject({ state: 'attached', evidence: 'enumerated' });
    const { operations } = await lab.ok<Device>('inspect', id);
    expect(operations).toMatchObject([{ action: 'attach', state: 'expired' }]);
    expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });

    expect(await lab.ok('detach', 'vm1', id)).toMatchObject({ state: 'released' });
    expect(await vmmHas(lab.sandbox('vm1').socket)).toMatchObject({ nodes: [] });
  });

  test('less evidence is there to be had', async () => {
    const device = await lab.ok<Device>('attach', 'vm1', lab.image('b.img'), '--wait', 'enumerated');
    expect(device).toMatchObject({ state: 'attached', evidence: 'enumerated' });
    await lab.ok('detach', 'vm1', device.id);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s during the wait ends it promptly, and the records are true',
    async (signal) => {
      const attach = lab.start('attach', 'vm1', lab.image(`${signal}.img`), '--json', '--timeout', '60s');
      try {
        await expect
          .poll(async () => (await lab.ok<{ devices: Device[] }>('ls')).devices.length, { timeout: 10_000 })
          .toBe(1);
        const interrupted = performance.now();
        attach.kill(signal);
        const result = await attach.ended;
        expect(performance.now() - interrupted).toBeLessThan(3000);
        const error = refusalOf(result, 'aborted');
        expect(error.hint).toContain('vmplug');
        const { devices } = await lab.ok<{ devices: Device[] }>('ls');
        expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
        for (const { id, state } of devices) {
          expect(state).toBe('attached');
          await lab.ok('detach', 'vm1', id);
        }
        expect(await vmmHas(lab.sandbox('vm1').socket)).toMatchObject({ nodes: [] });
      } finally {
        attach.kill();
        await attach.ended;
      }
    },
  );

  test('a VM that hangs during the wait: the deadline holds, and the next command settles it', async () => {
    const image = lab.image('hung.img');
    const { pid } = lab.sandbox('vm1');
    const started = performance.now();
    const attach = lab.start('attach', 'vm1', image, '--json', '--timeout', '2s');
    try {
      await expect
        .poll(async () => (await lab.ok<{ devices: Device[] }>('ls')).devices.length, { timeout: 10_000 })
        .toBe(1);
      process.kill(pid, 'SIGSTOP');
      const error = refusalOf(await attach.ended, 'deadline-passed');
      expect(performance.now() - started).toBeLessThan(10_000);
      expect(error).toMatchObject({
        message: expect.stringContaining(image),
        hint: expect.stringContaining('vmplug'),
      });
    } finally {
      process.kill(pid, 'SIGCONT');
      attach.kill();
      await attach.ended;
    }
    expect(await lab.ok('doctor', '--repair')).toMatchObject({ ok: true });
    const { devices } = await lab.ok<{ devices: Device[] }>('ls');
    const { nodes } = await vmmHas(lab.sandbox('vm1').socket);
    expect(nodes).toHaveLength(devices.length * 2);
    expect(devices.every(({ state }) => state === 'attached')).toBe(true);
  });

  test('a kill -9 during the wait leaves what the next command settles', async () => {
    const attach = lab.start('attach', 'vm1', lab.image('killed.img'), '--timeout', '60s');
    try {
      await expect
        .poll(async () => (await lab.ok<{ devices: Device[] }>('ls')).devices.length, { timeout: 10_000 })
        .toBe(1);
    } finally {
      attach.kill('SIGKILL');
      await attach.ended;
    }
    expect(await lab.ok('doctor', '--repair')).toMatchObject({ ok: true });
    const { devices } = await lab.ok<{ devices: Device[] }>('ls');
    const { nodes } = await vmmHas(lab.sandbox('vm1').socket);
    expect(nodes).toHaveLength(devices.length * 2);
    for (const { id } of devices) await lab.ok('detach', 'vm1', id);
    expect(await vmmHas(lab.sandbox('vm1').socket)).toMatchObject({ nodes: [] });
  });
});

describe('a guest that is still booting', () => {
  test('a detach that is sent before its ACPI listens succeeds in the end', async () => {
    await using lab = new Lab();
    mkdirSync(lab.path('early'));
    await using vm = await startForeignQemu(
      lab.path('early'),
      ['-machine', 'q35', '-S', ...rootPort('port0', 2)],
      { waits: false },
    );
    await lab.ok('sandbox', 'adopt', 'early', '--qmp', vm.qmp);
    const image = lab.image('a.img');
    await refused(lab, 'vm-paused', 'attach', 'early', image);
    const { id } = await lab.ok<Device>('attach', 'early', image, '--wait', 'acknowledged');
    await tellVmm(vm.qmp, ['cont']);
    // Nobody listens in the firmware, nor for the first second of the kernel.
    expect(await lab.ok('detach', 'early', id, '--timeout', '60s')).toMatchObject({ state: 'released' });
    await waitForGuest(vm.exec, { timeoutMs: 60_000 });
    expect(await vmmHas(vm.qmp)).toMatchObject({ nodes: [] });
  });

  test('an attach waits for it, or ends at its deadline; the evidence comes later', async () => {
    await using lab = new Lab();
    mkdirSync(lab.path('early'));
    await using vm = await startForeignQemu(
      lab.path('early'),
      ['-machine', 'q35', ...rootPort('port0', 2), ...rootPort('port1', 3)],
      {
        waits: false,
        append: 'vmplug.boot_delay=2',
      },
    );
    await lab.ok('sandbox', 'adopt', 'early', '--qmp', vm.qmp);
    const hasty = await refused(
      lab,
      'deadline-passed',
      'attach',
      'early',
      lab.image('hasty.img'),
      '--timeout',
      '200ms',
    );
    expect(hasty.facts['evidence']).not.toBe('live');
    const patient = await lab.ok<Device>('attach', 'early', lab.image('patient.img'), '--timeout', '60s');
    expect(patient).toMatchObject({ state: 'attached', evidence: 'live' });
    const id = String(hasty.facts['device']);
    await expect
      .poll(async () => (await lab.ok<{ observed: { evidence: string } }>('inspect', id)).observed.evidence, {
        timeout: 20_000,
      })
      .toBe('live');
    for (const device of [id, patient.id]) await lab.ok('detach', 'early', device, '--timeout', '20s');
    expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
  });
});
