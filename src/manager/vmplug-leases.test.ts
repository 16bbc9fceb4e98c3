import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FakeSysfs } from '../host/vfio/sysfs.testing.ts';
import { Bench, deadProcess, errorOf, TestStore } from '../operations/bench.testing.ts';
import { before, bindings, given, groupOfTwo, resolved } from '../operations/leases.testing.ts';
import { Vmplug } from './vmplug.ts';

let stores: TestStore;
let host: FakeSysfs;
/** The attachment of a group to a VM that has ended since. */
let device: string;
beforeEach(async () => {
  stores = new TestStore();
  host = groupOfTwo();
  const bench = new Bench(stores.store, { sysfs: host, process: deadProcess });
  ({ id: device } = await bench.attach(await resolved(host)));
  host.writes.length = 0;
  expect(bindings(host)).toEqual(given);
});
afterEach(() => {
  host[Symbol.dispose]();
  stores[Symbol.dispose]();
});

const open = (): Vmplug => Vmplug.open({ stateDir: stores.directory, sysfs: host });

test.each<[string, (vmplug: Vmplug) => Promise<unknown>]>([
  ['detach', (vmplug) => vmplug.detach('vm1', device)],
  ['attach of something else', (vmplug) => errorOf(vmplug.attach('vm1', '/dev/null'))],
  ['stop', (vmplug) => vmplug.stop('vm1')],
  ['forget', (vmplug) => vmplug.forget('vm1')],
  ['doctor --repair', (vmplug) => vmplug.doctor({ repair: true })],
])('%s finds that the VM has ended, and this host has its group back', async (_, command) => {
  await using vmplug = open();
  await command(vmplug);
  expect(bindings(host)).toEqual(before);
  expect(stores.store.read((tx) => [tx.leases(), tx.attachments()])).toEqual([[], []]);
});

test('a detach that finds the VM ended says what does not go back', async () => {
  host.faults = Array.from({ length: 8 }, () => 'fails' as const);
  await using vmplug = open();
  expect(await errorOf(vmplug.detach('vm1', device))).toMatchObject({
    code: 'outcome-unknown',
    facts: { group: '12', released: true },
  });
  host.faults = [];
  await vmplug.doctor({ repair: true });
  expect(bindings(host)).toEqual(before);
});

test('a sandbox that is stopped and whose group does not go back says so, and doctor mends it', async () => {
  host.faults = ['fails', 'fails'];
  await using vmplug = open();
  expect(await errorOf(vmplug.stop('vm1'))).toMatchObject({
    code: 'outcome-unknown',
    facts: { group: '12' },
    hint: expect.stringContaining('doctor --repair'),
  });
  expect(vmplug.sandboxes()).toEqual([]);
  host.faults = [];
  expect(await vmplug.doctor()).toMatchObject([{ problem: 'not-given-back', sandbox: 'vm1', device }]);
  expect(await vmplug.doctor({ repair: true })).toMatchObject([
    { problem: 'not-given-back', repaired: true },
  ]);
  expect(bindings(host)).toEqual(before);
  expect(await vmplug.doctor()).toEqual([]);
});

test('a detach that was killed before it gave the group back: the same one again does', async () => {
  stores.store.write((tx) => tx.deleteAttachment(device));
  await using vmplug = open();
  expect((await errorOf(vmplug.detach('vm1', device))).code).toBe('device-not-found');
  expect(bindings(host)).toEqual(before);
  expect(stores.store.read((tx) => tx.leases())).toEqual([]);
});
