import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

describe('a VM that was killed', () => {
  let lab: Lab;
  let image: string;
  let ids: string[];

  beforeAll(async () => {
    lab = new Lab();
    await lab.run('dead', '--ports', '4');
    await lab.run('alive', '--ports', '1');
    image = lab.image('a.img');
    ids = [];
    for (const source of [image, lab.image('b.img')]) {
      ids.push((await lab.ok<Device>('attach', 'dead', source, '--wait', 'acknowledged')).id);
    }
    await killVm(lab, 'dead');
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test('is listed as ended, and doctor says so', async () => {
    const { sandboxes } = await lab.ok<{ sandboxes: { name: string; life: string }[] }>('sandbox', 'ls');
    expect(sandboxes.find(({ name }) => name === 'dead')).toMatchObject({ life: 'ended' });
    const doctor = await lab.vmplug('doctor', '--json');
    expect(doctor.code).toBe(1);
    expect(doctor.json()).toMatchObject({ findings: [{ problem: 'vm-ended', sandbox: 'dead' }] });
    expect((await devicesOf(lab)).map(({ id }) => id)).toEqual(ids);
  });

  test('a detach succeeds, and what its devices held is free for others', async () => {
    const detached = await lab.ok<Device>('detach', 'dead', ids[0] ?? '');
    expect(detached).toMatchObject({ id: ids[0], state: 'gone' });
    expect(await devicesOf(lab)).toEqual([]);
    const { id } = await lab.ok<Device>('attach', 'alive', image);
    await lab.ok('detach', 'alive', id);
  });

  test('an attach says that the VM is gone, with what to do', async () => {
    const error = await refused(lab, 'vm-gone', 'attach', 'dead', image);
    expect(error).toMatchObject({
      message: expect.stringContaining('"dead"'),
      hint: expect.stringContaining('vmplug sandbox forget dead'),
    });
    expect(await devicesOf(lab)).toEqual([]);
  });

  test('another of its name is refused, until it is forgotten', async () => {
    const error = await refused(lab, 'sandbox-exists', 'sandbox', 'run', 'dead', '--accel', 'tcg');
    expect(error.hint).toContain('vmplug sandbox forget dead');
    await lab.ok('sandbox', 'forget', 'dead');
    expect(existsSync(join(lab.stateDir, 'sandboxes', 'dead'))).toBe(false);
    expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
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
    await nothingHeld(lab, 'a.img');
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
    await nothingHeld(lab, 'b.img');
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
    expect(doctor.json()).toMatchObject({ findings: [{ problem: 'vm-ended', sandbox: 'vm1', repaired: true }] });
    await nothingHeld(lab, 'c.img');
  });

  /** No device, claim or place of the sandbox is left; it can be forgotten. */
  async function nothingHeld(lab: Lab, image: string): Promise<void> {
    expect(await devicesOf(lab)).toEqual([]);
    await lab.ok('sandbox', 'forget', 'vm1');
    expect(readListing(lab.stateDir)).toEqual({ sandboxes: [], attachments: [] });
    mkdirSync(lab.path('next'));
    await using next = await startForeignQemu(lab.path('next'), ['-S', '-device', 'virtio-scsi-pci'], { waits: false });
    await lab.ok('sandbox', 'adopt', 'next', '--qmp', next.qmp);
    await lab.ok('attach', 'next', lab.path(image), '--driver', 'virtio-scsi', '--wait', 'acknowledged');
    expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
  }
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
