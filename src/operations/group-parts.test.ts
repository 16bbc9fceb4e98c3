import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AttachmentRecord } from '../api/attachment.ts';
import { generationOf } from '../api/names.ts';
import { unitsOf } from '../api/plan.ts';
import { Bench, errorOf, TestStore } from './bench.testing.ts';
import { testGroup } from './hosts.testing.ts';

let stores: TestStore;
beforeEach(() => {
  stores = new TestStore();
});
afterEach(() => stores[Symbol.dispose]());

const names = (bench: Bench): string[] => bench.machine.devices.map(({ id }) => id);

/** A bench with a group whose functions treat a request to leave as told, in their order. */
async function withGroup(
  ...answers: ('lets-go' | 'refuses' | 'ignores')[]
): Promise<[Bench, AttachmentRecord]> {
  const bench = new Bench(stores.store);
  const attached = await bench.attach(testGroup('7', answers.length), { id: '0123456789abcdef' });
  for (const [index, { vmmId }] of unitsOf(attached).entries()) {
    bench.machine.behave(vmmId, { onUnplug: answers[index] ?? 'lets-go' });
  }
  return [bench, attached];
}

describe('W43: while the request to one function stands, its group is not recorded as attached', () => {
  test('the guest refuses another one', async () => {
    const [bench, { id }] = await withGroup('lets-go', 'refuses', 'ignores');
    const error = await errorOf(bench.detach(id, { timeoutMs: 20 }));
    expect(error).toMatchObject({ code: 'deadline-passed', facts: { requested: true } });
    expect(bench.attachments()).toMatchObject([{ state: 'detaching' }]);
    bench.expectSound();
  });

  test('the VMM refuses to ask for another one', async () => {
    const [bench, { id }] = await withGroup('ignores', 'lets-go');
    bench.machine.fail({ on: 'device_del', do: 'refuse', text: 'no', after: 1 });
    await errorOf(bench.detach(id, { timeoutMs: 20 }));
    expect(bench.attachments()).toMatchObject([{ state: 'detaching' }]);
    for (const name of names(bench)) bench.machine.letGo(name);
    await bench.settle();
    bench.expectNothingLeft('none');
  });
});

test('one function is gone, and nothing was sent for the other: what is left is not recorded as attached', async () => {
  const bench = new Bench(stores.store, {
    guest: { onPlug: 'acknowledged' },
    unplugPolicy: () => ({ waitForGuest: true }),
  });
  const { id } = await bench.attach(testGroup('7', 2), { wait: 'acknowledged' });
  bench.machine.letGo(names(bench)[0] ?? '');
  await errorOf(bench.detach(id, { timeoutMs: 20 }));
  expect(bench.attachments()).toMatchObject([{ state: 'detaching' }]);
  bench.expectSound();
});

test('names that a group was put back under are not used again', async () => {
  const [bench, { id }] = await withGroup('lets-go', 'refuses');
  await errorOf(bench.detach(id));
  const used = new Set(bench.machine.log.map(({ command }) => command.arguments?.['id']));
  // The guest lets go of it by itself, and that is all that is recorded of the end.
  for (const name of names(bench)) bench.machine.letGo(name);
  stores.store.write((tx) => tx.deleteAttachment(id));
  const again = await bench.attach(testGroup('7', 2), { id });
  for (const { vmmId } of unitsOf(again)) expect(used).not.toContain(vmmId);
  expect(generationOf(again.plan.vmmId)).toBe(3);
});

test('of a function that was put back no more is known than that the VMM has it', async () => {
  const [bench, { id }] = await withGroup('lets-go', 'refuses');
  bench.machine.guest = { ...bench.machine.guest, onPlug: 'acknowledged' };
  await errorOf(bench.detach(id));
  expect(bench.attachments()).toMatchObject([{ state: 'attached', evidence: 'acknowledged' }]);
});

test('hard rule 5: the guest lets go of one function while it takes them: nobody waits for the other any more', async () => {
  const bench = new Bench(stores.store, { guest: { onPlug: 'acknowledged' } });
  const stop = bench.machine.onExchange((name) => {
    if (name !== 'observe') return;
    stop();
    bench.machine.letGo(names(bench)[0] ?? '');
  });
  const started = performance.now();
  expect(await errorOf(bench.attach(testGroup('7', 2)))).toMatchObject({ code: 'guest-removed' });
  expect(performance.now() - started).toBeLessThan(2_000);
  expect(bench.hypervisor.listeners).toBe(0);
  expect(bench.attachments()).toMatchObject([{ state: 'detaching' }]);
  bench.expectSound();
});

describe('put back half way', () => {
  test('the second of two is refused: the group stays claimed, and is detached later', async () => {
    const [bench, { id }] = await withGroup('lets-go', 'lets-go', 'refuses');
    bench.machine.fail({ on: 'device_add', do: 'refuse', text: 'no', after: 1 });
    expect(await errorOf(bench.detach(id))).toMatchObject({ code: 'outcome-unknown' });
    expect(names(bench)).toHaveLength(2);
    expect(bench.attachments()).toMatchObject([{ state: 'detaching' }]);
    bench.expectSound();
    for (const name of names(bench)) bench.machine.behave(name, { onUnplug: 'lets-go' });
    await bench.detach(id);
    bench.expectNothingLeft('none');
  });

  test.each([false, true])('the connection is lost (carried out: %s)', async (executed) => {
    const [bench, { id }] = await withGroup('lets-go', 'refuses');
    bench.machine.fail({ on: 'device_add', do: 'lose', executed });
    await errorOf(bench.detach(id));
    expect(bench.attachments()).toMatchObject([{ state: 'detaching' }]);
    bench.expectSound();
    for (const name of names(bench)) bench.machine.behave(name, { onUnplug: 'lets-go' });
    await bench.detach(id);
    bench.expectNothingLeft('none');
  });

  test('everything was freed meanwhile: nothing is plugged that would be in no record', async () => {
    const [bench, { id }] = await withGroup('lets-go', 'refuses');
    bench.machine.onExchange((name) => {
      if (name === 'device_del') stores.store.write((tx) => tx.deleteAttachment(id));
    });
    await bench.detach(id).catch(() => undefined);
    expect(bench.machine.count('device_add')).toBe(2);
  });
});

test('two settle at once: what was put back by one is not forgotten by the other', async () => {
  const [bench, attached] = await withGroup('lets-go', 'refuses');
  const [, second] = unitsOf(attached);
  bench.machine.behave(attached.plan.vmmId, { onUnplug: 'refuses' });
  bench.machine.behave(second?.vmmId ?? '', { onUnplug: 'lets-go' });
  bench.machine.letGo(second?.vmmId ?? '');
  stores.store.write((tx) => tx.putAttachment({ ...attached, state: 'unknown' }));
  const stop = bench.machine.onExchange((name) => {
    if (name !== 'inventory') return;
    stop();
    // Another process puts the second one back, under a name of its own.
    queueMicrotask(() => {
      const further = (attached.plan.further ?? []).map((unit) => ({
        ...unit,
        vmmId: 'vmplug-0123456789abcdef-2.1',
      }));
      stores.store.write((tx) =>
        tx.putAttachment({
          ...attached,
          state: 'unknown',
          generation: 2,
          plan: { ...attached.plan, further },
        }),
      );
    });
  });
  await bench.settle();
  expect(bench.attachments()).toMatchObject([{ generation: 2 }]);
});
