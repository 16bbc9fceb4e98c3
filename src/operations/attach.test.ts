import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { rootPorts, type FaultKind } from '../hypervisors/simulated/index.ts';
import { planAttach } from './attach.ts';
import { Bench, errorOf, testDisk, TestStore } from './bench.testing.ts';

let kept: TestStore;
beforeEach(() => {
  kept = new TestStore();
});
afterEach(() => kept[Symbol.dispose]());

test('a disk is attached: node, device, evidence, record and journal', async () => {
  const bench = new Bench(kept.store);
  const stages: string[] = [];
  bench.onProgress = (text) => stages.push(text);
  const attachment = await bench.attach('a');
  expect(attachment).toMatchObject({
    state: 'attached',
    evidence: 'live',
    generation: 1,
    serial: `vp${attachment.id}`,
    guest: { serial: `vp${attachment.id}`, pciPath: '01/00', pci: '0000:01:00.0' },
  });
  expect(bench.attachments()).toEqual([expect.objectContaining({ id: attachment.id, state: 'attached' })]);
  expect(bench.machine.log.map(({ command }) => command.execute)).toEqual(['blockdev-add', 'device_add']);
  const [operation] = kept.store.read((tx) => tx.operations({ device: attachment.id }));
  expect(operation).toMatchObject({ action: 'attach', state: 'done' });
  expect(stages).toEqual(['plan and journal', 'run', "wait until the guest's evidence is live"]);
  bench.expectSettled();
});

test('W105: the intent is durable before the first command goes out', async () => {
  const bench = new Bench(kept.store);
  const seen: unknown[] = [];
  bench.machine.onExchange((name) => {
    if (name !== 'blockdev-add') return;
    const [attachment] = bench.attachments();
    seen.push(
      attachment?.state,
      kept.store.read((tx) => tx.operations({}).map(({ state }) => state)),
    );
  });
  await bench.attach('a');
  expect(seen).toEqual(['attaching', ['running']]);
});

test('a plan that is only looked at changes nothing', async () => {
  const bench = new Bench(kept.store);
  const request = {
    resolve: async () => testDisk('a'),
    driver: 'virtio-blk',
    options: {},
    wait: 'live',
    timeoutMs: 1000,
  } as const;
  const draft = await planAttach(bench.context, request);
  expect(draft.plan.steps.map(({ run }) => run.execute)).toEqual(['blockdev-add', 'device_add']);
  bench.expectNothingLeft('a');
  await bench.attach('a');
  expect((await errorOf(planAttach(bench.context, request))).code).toBe('already-attached');
});

test('a device that has the last place is said to be there, not that there is no place', async () => {
  const bench = new Bench(kept.store, { buses: rootPorts(1) });
  const { id } = await bench.attach('a');
  expect(await errorOf(bench.attach('a'))).toMatchObject({ code: 'already-attached', facts: { device: id } });
  expect((await errorOf(bench.attach('b'))).code).toBe('no-free-place');
});

describe('faults before the VMM has it', () => {
  const kinds: [string, FaultKind][] = [
    ['refused', { do: 'refuse', text: 'no' }],
    ['not sent', { do: 'unsent' }],
    ['lost before it was carried out', { do: 'lose', executed: false }],
    ['not answered, not carried out', { do: 'no-answer', executed: false, waitMs: 1 }],
  ];
  const places = ['status', 'buses', 'blockdev-add', 'device_add'];
  test.each(kinds.flatMap(([how, kind]) => places.map((on) => [on, how, kind] as const)))(
    '%s %s: nothing is left, nothing is repeated',
    async (on, _how, kind) => {
      const bench = new Bench(kept.store);
      bench.machine.fail({ ...kind, on });
      await errorOf(bench.attach('a'));
      await bench.settle();
      bench.expectNothingLeft('a');
      expect(bench.machine.count('blockdev-add')).toBeLessThanOrEqual(1);
      expect(bench.machine.count('device_add')).toBeLessThanOrEqual(1);
      const again = await bench.attach('a');
      expect(again.state).toBe('attached');
      bench.expectSettled();
    },
  );
});

describe('pain 36: an outcome that nobody knows is asked for, not repeated', () => {
  test.each<[string, FaultKind]>([
    ['lost', { do: 'lose', executed: true }],
    ['not answered', { do: 'no-answer', executed: true, waitMs: 1 }],
  ])('device_add carried out and %s: it is recorded as attached', async (_, kind) => {
    const bench = new Bench(kept.store);
    bench.machine.fail({ ...kind, on: 'device_add' });
    const error = await errorOf(bench.attach('a'));
    expect(error).toMatchObject({ code: 'outcome-unknown', facts: { settled: 'attached' } });
    expect(bench.attachments()).toEqual([expect.objectContaining({ state: 'attached', evidence: 'live' })]);
    expect(bench.machine.count('device_add')).toBe(1);
    bench.expectSettled();
  });

  test.each<[string, FaultKind]>([
    ['lost', { do: 'lose', executed: true }],
    ['not answered', { do: 'no-answer', executed: true, waitMs: 1 }],
  ])('blockdev-add carried out and %s: the node is released again or used', async (_, kind) => {
    const bench = new Bench(kept.store);
    bench.machine.fail({ ...kind, on: 'blockdev-add' });
    await errorOf(bench.attach('a'));
    await bench.settle();
    bench.expectSettled();
    expect(bench.machine.count('blockdev-add')).toBe(1);
  });

  test('the VMM cannot be asked either: it stays unknown, and everything stays reserved', async () => {
    const bench = new Bench(kept.store);
    bench.machine.fail({ on: 'device_add', do: 'lose', executed: true });
    bench.machine.fail({ on: 'inventory', do: 'no-answer', executed: false, waitMs: 1 });
    expect((await errorOf(bench.attach('a'))).code).toBe('outcome-unknown');
    expect(bench.attachments().map(({ state }) => state)).toEqual(['unknown']);
    bench.expectSound();
    expect((await errorOf(bench.attach('a'))).code).toBe('already-attached');
    expect([...(await bench.settle()).values()]).toEqual(['attached']);
    bench.expectSettled();
  });

  test('a VMM that has left a command unanswered is waited for only shortly when it is asked', async () => {
    const bench = new Bench(kept.store);
    bench.machine.fail({ on: 'device_add', do: 'no-answer', executed: true, waitMs: 1 });
    bench.machine.fail({ on: 'inventory', do: 'no-answer', executed: true });
    const started = performance.now();
    expect((await errorOf(bench.attach('a'))).code).toBe('outcome-unknown');
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(bench.attachments()).toMatchObject([{ state: 'unknown' }]);
    await bench.settle();
    expect(bench.attachments()).toMatchObject([{ state: 'attached' }]);
  }, 60_000);

  test('questions before anything is sent wait no longer than the caller, or a little', async () => {
    const bench = new Bench(kept.store);
    const { id } = await bench.attach('b');
    bench.machine.fail({ on: 'status', do: 'no-answer', executed: true, times: 2 });
    const started = performance.now();
    const limits = { timeoutMs: 1 };
    const ends = await Promise.all([errorOf(bench.attach('a', limits)), errorOf(bench.detach(id, limits))]);
    expect(ends).toMatchObject([{ code: 'deadline-passed' }, { code: 'deadline-passed' }]);
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(bench.attachments()).toMatchObject([{ id, state: 'attached' }]);
  }, 60_000);

  test('an undo that goes wrong is settled by asking too', async () => {
    const bench = new Bench(kept.store);
    bench.machine.fail({ on: 'device_add', do: 'refuse', text: 'no' });
    bench.machine.fail({ on: 'blockdev-del', do: 'lose', executed: false });
    const error = await errorOf(bench.attach('a'));
    expect(error).toMatchObject({ code: 'outcome-unknown', facts: { settled: 'released' } });
    bench.expectNothingLeft('a');
  });
});

test('pain 35: a device that is refused leaves no node behind, so that a retry works', async () => {
  const bench = new Bench(kept.store);
  bench.machine.fail({ on: 'device_add', do: 'refuse', text: 'no slot/function available' });
  const error = await errorOf(bench.attach('a'));
  expect(error).toMatchObject({ code: 'vmm-refused', reason: "vm1's VMM said: no slot/function available" });
  expect(bench.machine.log.map(({ command }) => command.execute)).toEqual(['blockdev-add', 'blockdev-del']);
  bench.expectNothingLeft('a');
  await bench.attach('a');
});

test('an image that another process has locked is said to be locked, and its node is released', async () => {
  const bench = new Bench(kept.store);
  bench.machine.nodes.lock('/images/a');
  expect((await errorOf(bench.attach('a'))).code).toBe('source-locked');
  bench.expectNothingLeft('a');
});

describe('a place that somebody else took', () => {
  test('another one is tried, under another generation', async () => {
    const bench = new Bench(kept.store);
    await bench.hypervisor.buses({ timeoutMs: 100 });
    bench.machine.plugForeign('theirs', 'pci:port0:00');
    const attachment = await bench.attach('a');
    expect(attachment).toMatchObject({ generation: 2, place: { bus: 'port1' } });
    expect(attachment.plan.vmmId.endsWith('-2')).toBe(true);
    bench.expectSettled();
    await bench.detach(attachment.id);
    bench.expectSound();
    expect(bench.attachments()).toEqual([]);
  });

  test('with none left nothing is left behind', async () => {
    const bench = new Bench(kept.store, { buses: rootPorts(1) });
    await bench.hypervisor.buses({ timeoutMs: 100 });
    bench.machine.plugForeign('theirs', 'pci:port0:00');
    expect((await errorOf(bench.attach('a'))).code).toBe('no-free-place');
    bench.machine.letGo('theirs');
    bench.expectNothingLeft('a');
  });

  test.each<[string, FaultKind]>([
    ['is lost', { do: 'lose', executed: false }],
    ['is refused', { do: 'refuse', text: 'no' }],
    ['is not answered', { do: 'no-answer', executed: false, waitMs: 1 }],
  ])('when the second look %s, nothing stays under way', async (_, kind) => {
    const bench = new Bench(kept.store);
    await bench.hypervisor.buses({ timeoutMs: 100 });
    bench.machine.plugForeign('theirs', 'pci:port0:00');
    bench.machine.fail({ ...kind, on: 'buses' });
    await errorOf(bench.attach('a'));
    bench.machine.letGo('theirs');
    await bench.settle();
    bench.expectNothingLeft('a');
  });

  test('three times over is given up', async () => {
    const bench = new Bench(kept.store);
    bench.machine.fail({
      on: 'device_add',
      do: 'refuse',
      text: 'taken',
      meaning: 'place-taken',
      times: Infinity,
    });
    expect((await errorOf(bench.attach('a'))).code).toBe('vmm-refused');
    expect(bench.machine.count('blockdev-add')).toBe(3);
    bench.expectNothingLeft('a');
  });
});
