import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HostDevice } from '../../api/host-device.ts';
import { everyBus } from '../../hypervisors/simulated/index.ts';
import { Bench, testDisk, TestStore } from '../../operations/bench.testing.ts';
import { testGroup, testPmem, testSocket } from '../../operations/hosts.testing.ts';
import { examine } from './doctor.ts';

let stores: TestStore;
beforeEach(() => {
  stores = new TestStore();
});
afterEach(() => stores[Symbol.dispose]());

/** A VM with a device that is in no record any more. */
async function withOrphan(host: HostDevice): Promise<Bench> {
  const bench = new Bench(stores.store, { buses: everyBus() });
  const { id } = await bench.attach(host);
  stores.store.write((tx) => tx.deleteAttachment(id));
  return bench;
}

test.each([
  testDisk('disk'),
  testGroup('7', 2),
  testSocket('vhost-user-blk', 'blk'),
  testSocket('vhost-user-net', 'net'),
])(
  'a $kind that a lost state left in the VM: the guest is asked to let go, then its back end is released',
  async (host) => {
    const bench = await withOrphan(host);
    const devices = bench.machine.devices.length;
    const found = await examine(bench.context, false);
    expect(found.filter(({ problem }) => problem === 'orphan-device')).toHaveLength(devices);
    await examine(bench.context, true);
    expect(bench.machine.devices).toEqual([]);
    const second = await examine(bench.context, true);
    expect(second.every(({ problem, repaired }) => problem === 'orphan-backend' && repaired)).toBe(true);
    expect((await bench.hypervisor.inventory({ timeoutMs: 100 })).backends).toEqual([]);
    expect(await examine(bench.context, true)).toEqual([]);
  },
);

test('an nvdimm cannot leave: doctor says so again and again, and claims no repair', async () => {
  const bench = await withOrphan(testPmem('pmem'));
  for (const _ of [1, 2]) {
    expect(await examine(bench.context, true)).toMatchObject([{ problem: 'orphan-device', repaired: false }]);
  }
  expect(bench.machine.devices).toHaveLength(1);
});

test('a device that is recorded for another sandbox, which is the same VM, is no orphan', async () => {
  const bench = new Bench(stores.store, { buses: everyBus() });
  await bench.attach(testDisk('disk'));
  const alias = { ...bench.context, sandbox: { ...bench.sandbox, name: 'alias' } };
  stores.store.write((tx) => tx.putSandbox(alias.sandbox));
  expect(await examine(alias, true)).toEqual([]);
  expect(bench.machine.devices).toHaveLength(1);
});
