import { afterEach, beforeEach, expect, test } from 'vitest';
import { VmplugError } from '../../api/errors.ts';
import type { ProcessIdentity } from '../../api/operation.ts';
import { ownIdentity } from '../../host/process-identity.ts';
import { Bench, deadProcess, TestStore } from '../../operations/bench.testing.ts';
import { examineAll } from './all.ts';
import type { Finding } from './finding.ts';

let stores: TestStore;
beforeEach(() => {
  stores = new TestStore();
});
afterEach(() => stores[Symbol.dispose]());

/** What doctor says of a VM of which it hears `vm-gone` while it looks at it. */
async function repair(bench: Bench, facts: Record<string, string | boolean>): Promise<Finding[]> {
  const gone = new VmplugError('vm-gone', {
    action: 'connect',
    subject: '/s',
    reason: 'no such socket',
    facts,
  });
  const { store, sysfs } = bench.context;
  const examined = { store, stateDir: stores.directory, leases: { store, sysfs } };
  return await examineAll({ ...examined, use: () => Promise.reject(gone) }, { repair: true });
}

async function attached(process: ProcessIdentity): Promise<Bench> {
  const bench = new Bench(stores.store, { process });
  await bench.attach('a');
  return bench;
}

test('a VM whose socket is gone in the middle, and whose process runs, has not ended: nothing is freed', async () => {
  const bench = await attached(ownIdentity());
  expect(await repair(bench, { reason: 'no-socket' })).toMatchObject([
    { problem: 'vm-unreachable', repaired: false },
  ]);
  expect(bench.attachments()).toHaveLength(1);
  expect(stores.store.read((tx) => tx.holders('file:1:a'))).toHaveLength(1);
});

test.each([
  ['whose process has ended', deadProcess, { reason: 'no-socket' }],
  ['that has surely ended', ownIdentity(), { ended: true }],
])('what a VM %s held is freed', async (_, process, facts) => {
  const bench = await attached(process);
  expect(await repair(bench, facts)).toMatchObject([{ problem: 'vm-ended', repaired: true }]);
  expect(bench.attachments()).toEqual([]);
});
