import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ownIdentity } from '../host/process-identity.ts';
import type { FaultKind } from '../hypervisors/simulated/index.ts';
import { Bench, deadProcess, errorOf, TestStore } from './bench.testing.ts';

let kept: TestStore;
beforeEach(() => {
  kept = new TestStore();
});
afterEach(() => kept[Symbol.dispose]());

test('the evidence is waited for, level by level', async () => {
  const bench = new Bench(kept.store, { guest: { onPlug: 'acknowledged' } });
  let looks = 0;
  bench.machine.onExchange((name) => {
    if (name !== 'observe') return;
    looks += 1;
    const id = bench.machine.devices[0]?.id ?? '';
    if (looks === 2) bench.machine.advance(id, 'enumerated');
    if (looks === 4) bench.machine.advance(id, 'live');
  });
  expect(await bench.attach('a')).toMatchObject({ evidence: 'live' });
  expect(looks).toBeGreaterThanOrEqual(4);
});

test('an acknowledged device is enough when no more is wanted, paused or not', async () => {
  const bench = new Bench(kept.store);
  bench.machine.pause();
  expect((await errorOf(bench.attach('a'))).code).toBe('vm-paused');
  expect(bench.attachments()).toEqual([]);
  expect(await bench.attach('a', { wait: 'acknowledged' })).toMatchObject({
    state: 'attached',
    evidence: 'acknowledged',
  });
  bench.expectSettled();
});

test('a guest that does not take it: deadline passed, still attached, operation expired', async () => {
  const bench = new Bench(kept.store, { guest: { onPlug: 'enumerated' } });
  const error = await errorOf(bench.attach('a', { timeoutMs: 5 }));
  expect(error).toMatchObject({ code: 'deadline-passed', facts: { evidence: 'enumerated' } });
  expect(bench.attachments()).toEqual([
    expect.objectContaining({ state: 'attached', evidence: 'enumerated' }),
  ]);
  expect(kept.store.read((tx) => tx.operations({})[0]?.state)).toBe('expired');
  bench.expectSettled();
});

test.each([[false], [true]])(
  'pain 7: the guest lets go of it while it is attached (event lost: %s): everything is freed',
  async (eventsLost) => {
    const bench = new Bench(kept.store, { guest: { onPlug: 'acknowledged' } });
    bench.machine.eventsLost = eventsLost;
    const stop = bench.machine.onExchange((name) => {
      if (name !== 'observe') return;
      stop();
      bench.machine.letGo(bench.machine.devices[0]?.id ?? '');
    });
    expect((await errorOf(bench.attach('a'))).code).toBe('guest-removed');
    bench.expectNothingLeft('a');
  },
);

test.each<[string, FaultKind]>([
  ['refused', { do: 'refuse', text: 'no' }],
  ['not sent', { do: 'unsent' }],
  ['lost', { do: 'lose', executed: true }],
  ['not answered', { do: 'no-answer', executed: true, waitMs: 1 }],
])('a question for evidence that is %s leaves an attached device in the records', async (_, kind) => {
  const bench = new Bench(kept.store);
  bench.machine.fail({ ...kind, on: 'observe' });
  await errorOf(bench.attach('a'));
  await bench.settle();
  expect(bench.attachments().map(({ state }) => state)).toEqual(['attached']);
  expect(bench.machine.count('device_add')).toBe(1);
  bench.expectSettled();
});

describe('given up by the caller', () => {
  test('before it began', async () => {
    const bench = new Bench(kept.store);
    await bench.hypervisor.buses({ timeoutMs: 100 });
    expect((await errorOf(bench.attach('a', { signal: AbortSignal.abort() }))).code).toBe('aborted');
    bench.expectNothingLeft('a');
    expect(bench.machine.log).toEqual([]);
  });

  test.each(['status', 'buses'])('during %s: nothing was done', async (question) => {
    const bench = new Bench(kept.store);
    const controller = new AbortController();
    bench.machine.onExchange((name) => name === question && controller.abort());
    expect((await errorOf(bench.attach('a', { signal: controller.signal }))).code).toBe('aborted');
    expect(bench.machine.log).toEqual([]);
    bench.expectNothingLeft('a');
  });

  test.each(['blockdev-add', 'device_add', 'observe'])(
    'during %s: what has begun is finished, and the error says what the VM has',
    async (stage) => {
      const bench = new Bench(kept.store, { guest: { onPlug: 'acknowledged' } });
      const controller = new AbortController();
      bench.machine.onExchange((name) => name === stage && controller.abort());
      const error = await errorOf(bench.attach('a', { signal: controller.signal }));
      const [attachment] = bench.attachments();
      expect(error).toMatchObject({
        code: 'aborted',
        facts: { device: attachment?.id, evidence: 'acknowledged' },
      });
      expect(attachment?.state).toBe('attached');
      bench.expectSettled();
    },
  );

  test('while a question for evidence gets no answer', async () => {
    const bench = new Bench(kept.store, { guest: { onPlug: 'acknowledged' } });
    const controller = new AbortController();
    bench.machine.fail({ on: 'observe', do: 'no-answer', executed: true });
    bench.machine.onExchange((name) => name === 'observe' && queueMicrotask(() => controller.abort()));
    const error = await errorOf(bench.attach('a', { signal: controller.signal }));
    expect(error).toMatchObject({ code: 'aborted', facts: { evidence: 'acknowledged' } });
    expect(bench.attachments().map(({ state }) => state)).toEqual(['attached']);
    bench.expectSettled();
  });
});

describe('the VM ends', () => {
  test.each(['status', 'blockdev-add', 'device_add', 'observe'])(
    'pain 38: during %s: everything on this host is freed',
    async (stage) => {
      const bench = new Bench(kept.store, { process: deadProcess });
      bench.machine.onExchange((name) => name === stage && bench.machine.die());
      await errorOf(bench.attach('a'));
      expect(bench.attachments()).toEqual([]);
      expect(kept.store.read((tx) => tx.holders('file:1:a'))).toEqual([]);
    },
  );

  test('or perhaps only its socket: what it may have stays reserved', async () => {
    const bench = new Bench(kept.store, { process: ownIdentity() });
    bench.machine.onExchange((name) => name === 'device_add' && bench.machine.die());
    expect((await errorOf(bench.attach('a'))).code).toBe('outcome-unknown');
    expect(bench.attachments().map(({ state }) => state)).toEqual(['unknown']);
    expect(kept.store.read((tx) => tx.holders('file:1:a'))).toHaveLength(1);
  });
});
