import { afterEach, beforeEach, expect, test } from 'vitest';
import { Bench, TestStore } from '../../operations/bench.testing.ts';
import { testGroup, testSocket } from '../../operations/hosts.testing.ts';
import { examine } from './doctor.ts';

let stores: TestStore;
beforeEach(() => {
  stores = new TestStore();
});
afterEach(() => stores[Symbol.dispose]());

test('W43: the guest ejected one function of a group: its claims stay until the other is gone too', async () => {
  const bench = new Bench(stores.store, { guest: { onUnplug: 'ignores' } });
  const { id } = await bench.attach(testGroup('7', 2));
  const [first = '', second = ''] = bench.machine.devices.map((device) => device.id);
  bench.machine.letGo(first);
  expect(await examine(bench.context, true)).toMatchObject([
    { problem: 'vanished', device: id, repaired: false },
  ]);
  expect(bench.attachments()).toMatchObject([{ id, state: 'detaching' }]);
  expect(stores.store.read((tx) => tx.holders('iommu-group:7'))).toHaveLength(1);
  bench.expectSound();
  bench.machine.letGo(second);
  expect(await examine(bench.context, true)).toMatchObject([{ problem: 'unsettled', repaired: true }]);
  bench.expectNothingLeft('none');
});

test.each([testGroup('7', 2), testSocket('vhost-user-net', 'net')])(
  'a $kind that the guest ejected whole is freed, with its back end',
  async (host) => {
    const bench = new Bench(stores.store);
    await bench.attach(host);
    for (const { id } of bench.machine.devices) bench.machine.letGo(id);
    expect(await examine(bench.context, true)).toMatchObject([{ problem: 'vanished', repaired: true }]);
    bench.expectNothingLeft('none');
    expect((await bench.hypervisor.inventory({ timeoutMs: 100 })).backends).toEqual([]);
    expect(await examine(bench.context, true)).toEqual([]);
  },
);
