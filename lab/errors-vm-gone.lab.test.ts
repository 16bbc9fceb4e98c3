import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isAlive, processIdentity, waitForEnd } from '../src/host/process-identity.ts';
import { readListing } from '../src/manager/listing.ts';
import { refusalOf, refused, tellVmm } from './errors.testing.ts';
import { startForeignQemu } from './foreign-qemu.ts';
import { Lab } from './harness.ts';

interface Device {
  id: string;
  state: string;
}

/** Ends a sandbox's QEMU as a crash would. */
async function killVm(lab: Lab, name: string): Promise<void> {
  const { pid } = lab.sandbox(name);
  const identity = processIdentity(pid);
  process.kill(pid, 'SIGKILL');
  if (identity !== undefined) expect(await waitForEnd(identity, 10_000)).toBe(true);
}

const devicesOf = async (lab: Lab): Promise<Device[]> => (await lab.ok<{ devices: Device[] }>('ls')).devices;

/** Forgets the sandbox; then no device, claim or place of it is left. */
async function nothingHeld(lab: Lab, name: string, image: string): Promise<void> {
  await lab.ok('sandbox', 'forget', name);
  expect(readListing(lab.stateDir)).toEqual({ sandboxes: [], attachments: [] });
  expect(existsSync(join(lab.stateDir, 'sandboxes', name))).toBe(false);
  mkdirSync(lab.path('next'));
  await using next = await startForeignQemu(lab.path('next'), ['-S', '-device', 'virtio-scsi-pci'], {
    waits: false,
  });
  await lab.ok('sandbox', 'adopt', 'next', '--qmp', next.qmp);
  await lab.ok('attach', 'next', lab.path(image), '--driver', 'virtio-scsi', '--wait', 'acknowledged');
  expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
}

describe('a VM that was killed', () => {
  let lab: Lab;
  let image: string;
  let ids: string[];

  beforeEach(async () => {
    lab = new Lab();
    mkdirSync(lab.path('dead'));
    const scsi = ['-S', '-device', 'virtio-scsi-pci,id=scsi0'];
    await using vm = await startForeignQemu(lab.path('dead'), scsi, { waits: false });
    await lab.ok('sandbox', 'adopt', 'dead', '--qmp', vm.qmp);
    image = lab.image('a.img');
    ids = [];
    for (const source of [image, lab.image('b.img')]) {
      const device = await lab.ok<Device>(
        'attach',
        'dead',
        source,
        '--driver',
        'virtio-scsi',
        '--wait',
        'acknowledged',
      );
      ids.push(device.id);
    }
    await killVm(lab, 'dead');
  });
  afterEach(() => lab[Symbol.asyncDispose]());

  test('is listed as ended, and doctor says so', async () => {
    expect(await lab.ok('sandbox', 'ls')).toMatchObject({ sandboxes: [{ name: 'dead', life: 'ended' }] });
    const doctor = await lab.vmplug('doctor', '--json');
    expect(doctor.code).toBe(1);
    expect(doctor.json()).toMatchObject({
      findings: [{ problem: 'vm-ended', sandbox: 'dead', repaired: false }],
    });
    expect(await devicesOf(lab)).toMatchObject(ids.map((id) => ({ id, vmEnded: true })));
    expect((await lab.vmplug('ls')).stdout).toContain('attached, VM ended');
    expect(await lab.ok('doctor', '--repair')).toMatchObject({
      findings: [{ problem: 'vm-ended', repaired: true }],
    });
    expect(await devicesOf(lab)).toEqual([]);
    // Its record is left, and nothing that could be repaired.
    const after = (await lab.vmplug('doctor', '--json')).json<{ plan: { by: string }[] }>();
    expect(after.plan.map(({ by }) => by)).toEqual(['person']);
  });

  test('a detach succeeds, and frees all that the VM held', async () => {
    const detached = await lab.ok<Device>('detach', 'dead', ids[0] ?? '');
    expect(detached).toMatchObject({ id: ids[0], state: 'gone' });
    await nothingHeld(lab, 'dead', 'a.img');
  });

  test('an attach says that the VM is gone, with what to do', async () => {
    for (const flags of [[], ['--dry-run']]) {
      const error = await refused(lab, 'vm-gone', 'attach', 'dead', image, ...flags);
      expect(error).toMatchObject({
        message: expect.stringContaining('"dead"'),
        hint: expect.stringContaining('vmplug sandbox forget dead'),
      });
    }
    await nothingHeld(lab, 'dead', 'b.img');
  });

  test('another of its name is refused, until it is forgotten', async () => {
    const error = await refused(lab, 'sandbox-exists', 'sandbox', 'run', 'dead', '--accel', 'tcg');
    expect(error.hint).toContain('vmplug sandbox forget dead');
    await nothingHeld(lab, 'dead', 'a.img');
    await refused(lab, 'sandbox-not-found', 'attach', 'dead', image);
  });
});

describe('a VM that is killed in the middle', () => {
  test('of an attach that waits for the guest: gone, and nothing is held any more', async () => {
    await using lab = new Lab();
    await lab.run('vm1', '--ports', '1', '--append', 'vmplug.skip=virtio_blk');
    const attach = lab.start('attach', 'vm1', lab.image('a.img'), '--json', '--timeout', '60s');
    try {
      await expect.poll(async () => (await devicesOf(lab)).length, { timeout: 10_000 }).toBe(1);
      const killed = performance.now();
      await killVm(lab, 'vm1');
      const error = refusalOf(await attach.ended, 'vm-gone');
      expect(performance.now() - killed).toBeLessThan(5000);
      expect(error.hint).not.toBeNull();
    } finally {
      attach.kill();
      await attach.ended;
    }
    await nothingHeld(lab, 'vm1', 'a.img');
  });

  test('of a detach that waits for the guest: it is released', async () => {
    await using lab = new Lab();
    await lab.run('vm1', '--ports', '1', '--append', 'acpiphp.disable=1');
    const { id } = await lab.ok<Device>('attach', 'vm1', lab.image('b.img'), '--wait', 'acknowledged');
    const detach = lab.start('detach', 'vm1', id, '--json', '--timeout', '60s');
    try {
      await expect.poll(async () => (await devicesOf(lab))[0]?.state, { timeout: 10_000 }).toBe('detaching');
      await killVm(lab, 'vm1');
      const result = await detach.ended;
      expect(result, result.stdout + result.stderr).toMatchObject({ code: 0 });
      expect(result.json()).toMatchObject({ id, state: 'gone' });
    } finally {
      detach.kill();
      await detach.ended;
    }
    await nothingHeld(lab, 'vm1', 'b.img');
  });

  test('of an attach whose own process was killed as well', async () => {
    await using lab = new Lab();
    await lab.run('vm1', '--ports', '1', '--append', 'vmplug.skip=virtio_blk');
    const attach = lab.start('attach', 'vm1', lab.image('c.img'), '--timeout', '60s');
    try {
      await expect.poll(async () => (await devicesOf(lab)).length, { timeout: 10_000 }).toBe(1);
    } finally {
      attach.kill('SIGKILL');
      await attach.ended;
    }
    await killVm(lab, 'vm1');
    const doctor = await lab.vmplug('doctor', '--repair', '--json');
    expect(doctor.json()).toMatchObject({
      findings: [{ problem: 'vm-ended', sandbox: 'vm1', repaired: true }],
    });
    await nothingHeld(lab, 'vm1', 'c.img');
  });
});

test('a guest that shuts down takes its VM with it: stop and forget still work', async () => {
  await using lab = new Lab();
  await lab.run('vm1', '--ports', '1');
  await lab.ok('attach', 'vm1', lab.image('a.img'));
  const identity = processIdentity(lab.sandbox('vm1').pid);
  await tellVmm(lab.sandbox('vm1').socket, ['system_powerdown']);
  await expect.poll(() => identity !== undefined && isAlive(identity), { timeout: 30_000 }).toBe(false);
  await refused(lab, 'vm-gone', 'attach', 'vm1', lab.image('b.img'));
  await lab.ok('sandbox', 'stop', 'vm1');
  expect(readListing(lab.stateDir)).toEqual({ sandboxes: [], attachments: [] });
});
