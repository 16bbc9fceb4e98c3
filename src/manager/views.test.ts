import { afterEach, beforeEach, expect, test } from 'vitest';
import { everyBus } from '../hypervisors/simulated/index.ts';
import { Bench, TestStore } from '../operations/bench.testing.ts';
import { testGroup, testPmem } from '../operations/hosts.testing.ts';
import { viewDevice, viewVm } from './views.ts';

let stores: TestStore;
beforeEach(() => {
  stores = new TestStore();
});
afterEach(() => stores[Symbol.dispose]());

const limits = { timeoutMs: 1000 };

test('places of every transport that the VM has are counted, and of PCI and SCSI in any case', async () => {
  const everywhere = new Bench(stores.store, { buses: everyBus() });
  const { places } = await viewVm(everywhere.context, limits);
  expect(Object.keys(places).toSorted()).toEqual(['ap', 'ccw', 'memory', 'pci', 'scsi']);
  await everywhere.attach(testPmem('p'));
  const after = await viewVm(everywhere.context, limits);
  expect(after.places.memory?.total).toBe(places.memory?.total);
  expect(after.places.memory?.free).toBe((places.memory?.free ?? 0) - 1);
  expect(after.places.pci).toEqual(places.pci);
  const nowhere = new Bench(stores.store, { name: 'vm2', buses: [] });
  expect((await viewVm(nowhere.context, limits)).places).toEqual({
    pci: { total: 0, free: 0 },
    scsi: { total: 0, free: 0 },
  });
});

test('every function of a group is asked about', async () => {
  const bench = new Bench(stores.store, { buses: everyBus() });
  const group = await bench.attach(testGroup('7', 2));
  const { observation, observations } = await viewDevice(bench.context, group, limits);
  expect(observations).toMatchObject([{ present: true }, { present: true }]);
  expect(observation).toEqual(observations?.[0]);
});
