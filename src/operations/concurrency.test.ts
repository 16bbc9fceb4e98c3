import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HostDevice } from '../api/host-device.ts';
import { placeKey } from '../api/place.ts';
import { everyBus, rootPorts } from '../hypervisors/simulated/index.ts';
import { planAttach } from './attach.ts';
import { Bench, errorOf, testDisk, TestStore } from './bench.testing.ts';
import { testPmem } from './hosts.testing.ts';

let kept: TestStore;
beforeEach(() => {
  kept = new TestStore();
});
afterEach(() => kept[Symbol.dispose]());

test('hard rule 4, pain 66: a device that the guest does not let go delays no other', async () => {
  const bench = new Bench(kept.store);
  const deaf = await bench.attach('deaf');
  const other = await bench.attach('other');
  bench.machine.behave(deaf.plan.vmmId, { onUnplug: 'ignores' });
  const controller = new AbortController();
  let deafEnded = false;
  const waiting = bench.detach(deaf.id, { timeoutMs: 60_000, signal: controller.signal }).catch(() => {
    deafEnded = true;
  });
  await bench.detach(other.id);
  const third = await bench.attach('third');
  await bench.detach(third.id);
  expect(deafEnded).toBe(false);
  controller.abort();
  await waiting;
  expect(bench.attachments()).toMatchObject([{ id: deaf.id, state: 'detaching' }]);
  bench.expectSettled();
});

test('of two attaches of one image at once, one wins and the other is told who has it', async () => {
  const bench = new Bench(kept.store);
  const results = await Promise.allSettled([bench.attach('a'), bench.attach('a')]);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  const [winner] = bench.attachments();
  expect(results.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: { code: 'already-attached', facts: { device: winner?.id } },
  });
  expect(bench.machine.count('blockdev-add')).toBe(1);
  bench.expectSettled();
});

test('pain 33: the same in two sandboxes: the holder is named', async () => {
  const [one, two] = [new Bench(kept.store), new Bench(kept.store, { name: 'vm2' })];
  const results = await Promise.allSettled([one.attach('a'), two.attach('a')]);
  const loser = results.find(({ status }) => status === 'rejected');
  const holder = one.attachments().length === 1 ? 'vm1' : 'vm2';
  expect(loser).toMatchObject({ reason: { code: 'claimed-elsewhere', facts: { holder } } });
  one.expectSettled();
  two.expectSettled();
});

test('readers share an image across sandboxes, and not within one', async () => {
  const [one, two] = [new Bench(kept.store), new Bench(kept.store, { name: 'vm2' })];
  const disk = testDisk('base', 'shared-read');
  await Promise.all([one.attach(disk), two.attach(disk)]);
  expect((await errorOf(one.attach(disk))).code).toBe('already-attached');
  one.expectSettled();
  two.expectSettled();
});

test('W110, pain 37: as many at once as there are places, each at its own, and again after they are freed', async () => {
  const bench = new Bench(kept.store, { buses: rootPorts(16) });
  for (let round = 0; round < 2; round += 1) {
    const attempts = Array.from({ length: 20 }, (_, index) => bench.attach(`disk${index}`));
    const results = await Promise.allSettled(attempts);
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(4);
    for (const { reason } of refused)
      expect(reason).toMatchObject({ code: 'no-free-place', facts: { total: 16 } });
    const attachments = bench.attachments();
    expect(new Set(attachments.map(({ place }) => placeKey(place))).size).toBe(16);
    bench.expectSettled();
    await Promise.all(attachments.map(({ id }) => bench.detach(id)));
    bench.expectNothingLeft('disk0');
  }
});

test('of two detaches of one device at once, one works and the other is told', async () => {
  const bench = new Bench(kept.store);
  const { id } = await bench.attach('a');
  const results = await Promise.allSettled([bench.detach(id), bench.detach(id)]);
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(results.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: { code: 'operation-in-progress' },
  });
  expect(bench.machine.count('device_del')).toBe(1);
  bench.expectNothingLeft('a');
});

test('settling while others attach and detach takes nothing from them', async () => {
  const bench = new Bench(kept.store, { buses: rootPorts(8) });
  const cycle = async (disk: string): Promise<void> => {
    for (let round = 0; round < 5; round += 1) {
      const { id } = await bench.attach(disk);
      await bench.settle();
      await bench.detach(id);
    }
  };
  await Promise.all(['a', 'b', 'c', 'd'].map(cycle));
  bench.expectNothingLeft('a');
});

test.each(['forgotten', 'forgotten, and another VM was given its name'])(
  'a sandbox that is %s while an attach looks at its VM: nothing is sent',
  async (how) => {
    const bench = new Bench(kept.store);
    bench.onProgress = () => {
      kept.store.write((tx) => {
        tx.deleteSandbox('vm1');
        if (how !== 'forgotten') tx.putSandbox({ ...bench.sandbox, createdAt: 2 });
      });
    };
    const error = await errorOf(bench.attach('a'));
    expect(error).toMatchObject({ code: 'sandbox-not-found', subject: 'vm1' });
    expect(bench.machine.log.map(({ command }) => command.execute)).toEqual([]);
    expect(kept.store.read((tx) => [tx.attachments(), tx.holders('file:1:a')])).toEqual([[], []]);
  },
);

test('what another sandbox has is called as it was given, and an nvdimm is not said to be detached there', async () => {
  const [one, two] = ['vm1', 'vm2'].map((name) => new Bench(kept.store, { name, buses: everyBus() }));
  if (one === undefined || two === undefined) throw new Error('no bench');
  const disk = await one.attach('disk');
  const pmem = await one.attach(testPmem('pmem'));
  for (const plans of [false, true]) {
    const context = two.context;
    const request = (host: HostDevice): Promise<unknown> =>
      plans
        ? planAttach(context, { resolve: async () => host, options: {}, wait: 'live', timeoutMs: 5000 })
        : two.attach(host);
    expect(await errorOf(request(testDisk('disk')))).toMatchObject({
      code: 'claimed-elsewhere',
      subject: '/images/disk',
      hint: expect.stringContaining(`vmplug detach vm1 ${disk.id}`),
      facts: { holder: 'vm1', device: disk.id, key: 'file:1:disk' },
    });
    const error = await errorOf(request(testPmem('pmem')));
    expect(error).toMatchObject({ code: 'claimed-elsewhere', subject: '/images/pmem' });
    expect(error.hint).toContain('sandbox stop vm1');
    expect(error.hint).not.toContain('detach');
  }
  const again = await errorOf(one.attach(testPmem('pmem')));
  expect(again).toMatchObject({ code: 'already-attached', facts: { device: pmem.id } });
  expect(again.hint).not.toContain('detach');
});
