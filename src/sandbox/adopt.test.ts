import { linkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startSimulatedQemu, type StartedSimulatedQemu } from '../hypervisors/simulated/qemu/start.ts';
import { TestStore } from '../operations/bench.testing.ts';
import { adoptSandbox } from './adopt.ts';
import { connectSandbox } from './connect.ts';

const limits = { timeoutMs: 5000 };

let stores: TestStore;
let qemu: StartedSimulatedQemu;
beforeEach(async () => {
  stores = new TestStore();
  qemu = await startSimulatedQemu();
});
afterEach(async () => {
  await qemu[Symbol.asyncDispose]();
  stores[Symbol.dispose]();
});

test('one VM is one sandbox, whatever way leads to it: two would take the devices of each other for lost', async () => {
  await adoptSandbox(stores.store, { name: 'vm1', qmp: qemu.socket, ...limits });
  const alias = join(stores.directory, 'alias');
  symlinkSync(qemu.socket, alias);
  await expect(adoptSandbox(stores.store, { name: 'vm2', qmp: alias, ...limits })).rejects.toMatchObject({
    code: 'sandbox-exists',
    reason: expect.stringContaining('vm1'),
    facts: { sandbox: 'vm1' },
  });
  await using other = await startSimulatedQemu();
  await adoptSandbox(stores.store, { name: 'vm2', qmp: other.socket, ...limits });
});

/** The socket of a program that has ended without removing it. */
async function leftBehind(started: StartedSimulatedQemu): Promise<string> {
  const left = join(stores.directory, 'left');
  linkSync(started.socket, left);
  await started[Symbol.asyncDispose]();
  return left;
}

test('a program that passes on what a VM says is not taken for it: when it ends, nothing is known of the VM', async () => {
  // A thread of another process than the one that listens.
  const passingOn = await startSimulatedQemu({ cpuThread: 1 });
  const sandbox = await adoptSandbox(stores.store, { name: 'vm1', qmp: passingOn.socket, ...limits });
  expect(sandbox.process).toBeUndefined();
  const socket = await leftBehind(passingOn);
  await expect(connectSandbox({ ...sandbox, socket }, limits)).rejects.toMatchObject({
    code: 'outcome-unknown',
  });
});

test('where the process of a VM may not be looked for, a socket that refuses says that it has ended', async () => {
  const sandbox = await adoptSandbox(stores.store, { name: 'vm1', qmp: qemu.socket, ...limits });
  const { process: found, ...unknown } = sandbox;
  expect(found).toBeDefined();
  const socket = await leftBehind(qemu);
  await expect(connectSandbox({ ...unknown, socket }, limits)).rejects.toMatchObject({ code: 'vm-gone' });
});
