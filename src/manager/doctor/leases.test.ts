import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FakeSysfs } from '../../host/vfio/sysfs.testing.ts';
import { Bench, TestStore } from '../../operations/bench.testing.ts';
import {
  before,
  bindings,
  card,
  disk,
  expectGivenBack,
  groupOfTwo,
  resolved,
} from '../../operations/leases.testing.ts';
import { releaseAll } from '../../operations/settle.ts';
import { examine } from './doctor.ts';
import { leftLeases } from './leases.ts';

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

/** A group whose giving back failed after its detach. */
async function left(): Promise<string> {
  const { id } = await bench.attach(await resolved(host));
  host.writes.length = 0;
  host.faults = ['fails', 'fails'];
  await bench.detach(id).catch(() => undefined);
  host.faults = [];
  return id;
}

test('a group in use is no finding', async () => {
  await bench.attach(await resolved(host));
  expect(await leftLeases(bench.context, true)).toEqual([]);
});

test('a group that could not be given back is found, and mended when asked', async () => {
  const device = await left();
  const found = await leftLeases(bench.context, false);
  expect(found).toMatchObject([
    {
      problem: 'not-given-back',
      sandbox: 'vm1',
      device,
      repaired: false,
      what: expect.stringMatching(/12 .*last try failed/),
    },
  ]);
  expect(bindings(host)).not.toEqual(before);
  expect(await leftLeases(bench.context, true)).toMatchObject([
    {
      problem: 'not-given-back',
      repaired: true,
      remedy: `given back: ${disk} to nvme, ${card} to e1000e`,
    },
  ]);
  expectGivenBack(bench, host);
  expect(await leftLeases(bench.context, true)).toEqual([]);
});

test('one that still does not go back says why, and stays', async () => {
  await left();
  host.writes.length = 0;
  host.faults = ['fails', 'fails'];
  expect(await leftLeases(bench.context, true)).toMatchObject([{ repaired: false }]);
  expect(stores.store.read((tx) => tx.leases())).toHaveLength(1);
});

test('a device that vanished from host and VM while nobody listened: doctor frees it, and its lease goes', async () => {
  const { id } = await bench.attach(await resolved(host));
  bench.machine.eventsLost = true;
  for (const device of bench.machine.devices) bench.machine.letGo(device.id);
  for (const address of [disk, card]) host.remove(address);
  host.writes.length = 0;
  bench.machine.pause();
  expect(await examine(bench.context, false)).toMatchObject([{ problem: 'vanished', device: id }]);
  expect(await leftLeases(bench.context, false)).toEqual([]);
  expect(await examine(bench.context, true)).toMatchObject([{ problem: 'vanished', repaired: true }]);
  expect(await leftLeases(bench.context, true)).toMatchObject([
    { problem: 'lease-vanished', repaired: true },
  ]);
  expect([host.writes, bench.attachments(), stores.store.read((tx) => tx.leases())]).toEqual([[], [], []]);
});

test('a lease whose functions have gone is dropped', async () => {
  await bench.attach(await resolved(host));
  releaseAll(bench.context);
  for (const address of [disk, card]) host.remove(address);
  expect(await leftLeases(bench.context, false)).toMatchObject([
    { problem: 'lease-vanished', repaired: false },
  ]);
  expect(await leftLeases(bench.context, true)).toMatchObject([
    { problem: 'lease-vanished', repaired: true },
  ]);
  expect(stores.store.read((tx) => tx.leases())).toEqual([]);
});

test('a lease from before this host was started anew is dropped, and no driver is touched', async () => {
  await left();
  stores.store.write((tx) => {
    for (const lease of tx.leases()) tx.putLease({ ...lease, boot: 'former' });
  });
  host.writes.length = 0;
  expect(await leftLeases(bench.context, true)).toMatchObject([
    { problem: 'lease-vanished', what: expect.stringContaining('started anew'), repaired: true },
  ]);
  expect([host.writes, stores.store.read((tx) => tx.leases())]).toEqual([[], []]);
});
