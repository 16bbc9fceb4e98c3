import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HostDevice } from '../../api/host-device.ts';
import { everyBus } from '../../hypervisors/simulated/index.ts';
import { Bench, testDisk, TestStore } from '../../operations/bench.testing.ts';
import { testGroup, testPmem, testSocket } from '../../operations/hosts.testing.ts';
import { examine } from './doctor.ts';
import { parseRelease, type Release } from './release.ts';

let stores: TestStore;
beforeEach(() => {
  stores = new TestStore();
});
afterEach(() => stores[Symbol.dispose]());

/** A VM with a device that is in no record any more, and what it would be released by. */
async function withOrphan(host: HostDevice): Promise<{ bench: Bench; asked: Release }> {
  const bench = new Bench(stores.store, { buses: everyBus() });
  const { id, plan } = await bench.attach(host);
  stores.store.write((tx) => tx.deleteAttachment(id));
  return { bench, asked: { sandbox: 'vm1', device: plan.vmmId } };
}

test.each([
  testDisk('disk'),
  testGroup('7', 2),
  testSocket('vhost-user-blk', 'blk'),
  testSocket('vhost-user-net', 'net'),
])(
  'a $kind that a lost state left in the VM: it stays until its release is asked for by name',
  async (host) => {
    const { bench, asked } = await withOrphan(host);
    const devices = bench.machine.devices.map(({ id }) => id);
    const backEnds = bench.machine.backEnds.names;
    for (const given of [[], [{ ...asked, sandbox: 'vm2' }], [{ ...asked, device: 'vmplug-0-1' }]]) {
      const found = await examine(bench.context, true, given);
      expect(found.map(({ device }) => device)).toEqual(devices);
      for (const { problem, repaired, plan = [] } of found) {
        expect({ problem, repaired }).toEqual({ problem: 'orphan-device', repaired: false });
        expect(plan[0]).toEqual({
          by: 'person',
          step: expect.stringContaining(`vmplug doctor --repair --release vm1/${asked.device}`),
        });
      }
      expect(bench.machine.devices.map(({ id }) => id)).toEqual(devices);
      expect(bench.machine.backEnds.names).toEqual(backEnds);
    }
    await examine(bench.context, false, [asked]);
    expect(bench.machine.devices).toHaveLength(devices.length);
    await examine(bench.context, true, [asked]);
    expect(bench.machine.devices).toEqual([]);
    const second = await examine(bench.context, true);
    expect(second.every(({ problem, repaired }) => problem === 'orphan-backend' && repaired)).toBe(true);
    expect((await bench.hypervisor.inventory({ timeoutMs: 100 })).backends).toEqual([]);
    expect(await examine(bench.context, true)).toEqual([]);
  },
);

test('it is said what such a device is, and what it uses of this host', async () => {
  const { bench } = await withOrphan(testGroup('7', 1));
  const [found] = await examine(bench.context, false);
  expect(found?.what).toMatch(/vfio-pci.* using 0000:/);
});

test('an nvdimm cannot leave: doctor says so again and again, and claims no repair', async () => {
  const { bench, asked } = await withOrphan(testPmem('pmem'));
  for (const _ of [1, 2]) {
    expect(await examine(bench.context, true, [asked])).toMatchObject([
      { problem: 'orphan-device', repaired: false },
    ]);
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

test('what is to be released is named in full, and is in no record', async () => {
  const bench = new Bench(stores.store);
  const { id, plan } = await bench.attach('a');
  const read = (text: string): Release => stores.store.read((tx) => parseRelease(tx, text));
  for (const text of [
    '',
    'vm1',
    'vm1/',
    'vm1/disk0',
    `vm1/${id}`,
    `vm1/vmplug-${id}-1/x`,
    'vm1/vmplug-x-1',
  ]) {
    expect(() => read(text), text).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  }
  expect(() => read(`vm9/${plan.vmmId}`)).toThrow(expect.objectContaining({ code: 'sandbox-not-found' }));
  expect(() => read(`vm1/${plan.vmmId}`)).toThrow(
    expect.objectContaining({ code: 'invalid-argument', hint: `vmplug detach vm1 ${id}` }),
  );
  expect(read('vm1/vmplug-0123456789abcdef-2.1')).toEqual({
    sandbox: 'vm1',
    device: 'vmplug-0123456789abcdef-2',
  });
});
