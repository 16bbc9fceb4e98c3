import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FakeSysfs } from '../host/vfio/sysfs.testing.ts';
import { Bench, errorOf, TestStore } from './bench.testing.ts';
import { before, bindings, card, disk, given, groupOfTwo, resolved } from './leases.testing.ts';
import { giveBackFreed } from './leases.ts';

let stores: TestStore;
let host: FakeSysfs;
let bench: Bench;
beforeEach(() => {
  stores = new TestStore();
  host = groupOfTwo();
  bench = new Bench(stores.store, { sysfs: host });
});
afterEach(() => {
  host[Symbol.dispose]();
  stores[Symbol.dispose]();
});

const leases = (): unknown[] => stores.store.read((tx) => tx.leases());

/** Its attachment was lost, and its process is none that can be seen. */
async function lost(): Promise<void> {
  const { id } = await bench.attach(await resolved(host));
  stores.store.write((tx) => {
    for (const lease of tx.leases()) tx.putLease({ ...lease, unseen: true });
    tx.deleteAttachment(id);
  });
  host.writes.length = 0;
}
const node = (): string => join(host.paths.dev, 'vfio/12');
/** Nothing here can be open for one opener only, as the kernel has it: a directory refuses as well. */
const refuseOpening = (): void => {
  rmSync(node());
  mkdirSync(node());
};

test('a group whose VM nobody can ask is given back only when asked for, and only when the kernel lets it be opened', async () => {
  await lost();
  refuseOpening();
  expect(await giveBackFreed(bench.context)).toEqual([]);
  expect(await giveBackFreed(bench.context, { again: true })).toMatchObject([
    { error: { code: 'group-held', reason: expect.stringContaining('cannot be seen') } },
  ]);
  rmSync(node(), { recursive: true });
  expect(await giveBackFreed(bench.context, { again: true })).toMatchObject([
    { error: { code: 'group-held' } },
  ]);
  expect([host.writes, bindings(host)]).toEqual([[], given]);
  host.addGroupNode('12');
  expect(await giveBackFreed(bench.context, { again: true })).toHaveLength(1);
  expect(bindings(host)).toEqual(before);
  expect(leases()).toEqual([]);
});

test('a group whose VM nobody can ask, also where vfio-pci has another function of the group', async () => {
  await lost();
  host.addFunction('0000:04:00.2', { group: '12', driver: 'vfio-pci' });
  refuseOpening();
  expect(await giveBackFreed(bench.context, { again: true })).toMatchObject([
    { error: { code: 'group-held' } },
  ]);
  expect([host.writes, bindings(host)]).toEqual([[], given]);
});

test('a group whose VM nobody can ask is not given back by an attach that takes it over and is refused', async () => {
  await lost();
  bench.machine.fail({
    on: 'device_add',
    do: 'refuse',
    text: 'vfio 0000:04:00.0: Device or resource busy',
  });
  const group = await resolved(host);
  refuseOpening();
  expect(await errorOf(bench.attach(group))).toMatchObject({
    code: 'outcome-unknown',
    facts: { group: '12' },
  });
  expect([host.writes, bindings(host)]).toEqual([[], given]);
  expect(leases()).toMatchObject([{ group: '12', unseen: true, error: { code: 'group-held' } }]);
});

test('a group whose VM nobody can ask has nothing to be opened when its functions have other drivers by now', async () => {
  await lost();
  for (const address of [disk, card]) {
    host.remove(address);
    host.addFunction(address, { driver: 'nvme' });
  }
  rmSync(node());
  expect(await giveBackFreed(bench.context, { again: true })).toEqual([{ lease: expect.anything() }]);
  expect([host.writes, leases()]).toEqual([[], []]);
});
