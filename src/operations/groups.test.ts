import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasCode } from '../api/errors.ts';
import { unitsOf } from '../api/plan.ts';
import { rootPorts } from '../hypervisors/simulated/index.ts';
import { Bench, errorOf, TestStore } from './bench.testing.ts';
import { testGroup } from './hosts.testing.ts';

let stores: TestStore;
beforeEach(() => {
  stores = new TestStore();
});
afterEach(() => stores[Symbol.dispose]());

const names = (bench: Bench): string[] => bench.machine.devices.map(({ id }) => id);

describe('an IOMMU group moves whole or not at all', () => {
  test('every function gets a place of its own; W07: all of them are there', async () => {
    const bench = new Bench(stores.store);
    const attached = await bench.attach(testGroup('7', 3));
    expect(attached).toMatchObject({
      state: 'attached',
      kind: 'vfio',
      driver: 'vfio-pci',
      evidence: 'enumerated',
    });
    expect(new Set(unitsOf(attached).map(({ place }) => place.bus)).size).toBe(3);
    expect(names(bench)).toEqual(unitsOf(attached).map(({ vmmId }) => vmmId));
    expect(names(bench).every((name) => Buffer.byteLength(name) <= 31)).toBe(true);
    bench.expectSettled();
    await bench.detach(attached.id);
    bench.expectNothingLeft('none');
  });

  test.each([0, 1, 2])(
    'W44, W40: the function after %d of three is refused: those are taken out, every place is free',
    async (after) => {
      const bench = new Bench(stores.store);
      bench.machine.fail({
        on: 'device_add',
        do: 'refuse',
        text: 'vfio 0000:3b:00.1: failed to open',
        after,
      });
      const error = await errorOf(bench.attach(testGroup('7', 3)));
      expect(error).toMatchObject({ code: 'vmm-refused' });
      expect(names(bench)).toEqual([]);
      bench.expectNothingLeft('none');
      await bench.attach(testGroup('7', 3));
    },
  );

  test('too few places for the whole group: nothing is touched', async () => {
    const bench = new Bench(stores.store, { buses: rootPorts(2) });
    expect(await errorOf(bench.attach(testGroup('7', 3)))).toMatchObject({ code: 'no-free-place' });
    expect(bench.machine.log).toEqual([]);
    bench.expectNothingLeft('none');
  });

  test('W44: a function is refused and the guest keeps the one before: it stays recorded, and a detach ends it', async () => {
    const bench = new Bench(stores.store);
    bench.machine.guest = { onPlug: 'live', onUnplug: 'refuses' };
    bench.machine.fail({ on: 'device_add', do: 'refuse', text: 'no', after: 1 });
    const error = await errorOf(bench.attach(testGroup('7', 2)));
    expect(hasCode(error, 'outcome-unknown')).toBe(true);
    expect(bench.attachments()).toMatchObject([{ state: 'detaching' }]);
    bench.expectSound();
    bench.machine.guest = { onPlug: 'live', onUnplug: 'lets-go' };
    await bench.detach(bench.attachments()[0]?.id ?? '');
    bench.expectNothingLeft('none');
  });

  test('W44: the guest lets go of one function and refuses the other: the first is put back, under a name of its own', async () => {
    const bench = new Bench(stores.store);
    const attached = await bench.attach(testGroup('7', 2));
    const [first = '', second = ''] = names(bench);
    bench.machine.behave(second, { onUnplug: 'refuses' });
    expect(await errorOf(bench.detach(attached.id))).toMatchObject({ code: 'unplug-refused' });
    const [record] = bench.attachments();
    expect(record).toMatchObject({ state: 'attached' });
    expect(names(bench)).toHaveLength(2);
    expect(names(bench)).toContain(second);
    expect(names(bench)).not.toContain(first);
    expect(
      unitsOf(record ?? attached)
        .map(({ vmmId }) => vmmId)
        .sort(),
    ).toEqual(names(bench).sort());
    bench.expectSettled();
    bench.machine.behave(second, { onUnplug: 'lets-go' });
    await bench.detach(attached.id);
    bench.expectNothingLeft('none');
  });

  test('one function that is silent keeps the whole group reserved until it is gone', async () => {
    const bench = new Bench(stores.store);
    const attached = await bench.attach(testGroup('7', 2));
    const [, second = ''] = names(bench);
    bench.machine.behave(second, { onUnplug: 'ignores' });
    expect(await errorOf(bench.detach(attached.id, { timeoutMs: 50 }))).toMatchObject({
      code: 'deadline-passed',
    });
    expect(bench.attachments()).toMatchObject([{ state: 'detaching' }]);
    bench.expectSound();
    bench.machine.letGo(second);
    await bench.settle();
    bench.expectNothingLeft('none');
  });

  test('the connection is lost between two functions: what the VM has is found out, and a part of a group is taken out', async () => {
    const bench = new Bench(stores.store);
    bench.machine.fail({ on: 'device_add', do: 'lose', executed: false, after: 1 });
    const error = await errorOf(bench.attach(testGroup('7', 2)));
    expect(error).toMatchObject({ code: 'outcome-unknown', facts: { settled: 'detaching' } });
    await bench.detach(bench.attachments()[0]?.id ?? '');
    bench.expectNothingLeft('none');
  });

  test('a group and one of its functions cannot both be attached', async () => {
    const bench = new Bench(stores.store);
    const other = new Bench(stores.store, { name: 'vm2' });
    await bench.attach(testGroup('7', 2));
    expect(await errorOf(other.attach(testGroup('7', 1)))).toMatchObject({ code: 'claimed-elsewhere' });
    expect(await errorOf(bench.attach(testGroup('7', 2)))).toMatchObject({ code: 'already-attached' });
  });
});
