import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VmplugError } from '../api/errors.ts';
import type { Store } from '../store/store.ts';
import { Bench, errorOf, TestStore } from './bench.testing.ts';
import { releaseAll } from './settle.ts';

let kept: TestStore;
beforeEach(() => {
  kept = new TestStore();
});
afterEach(() => kept[Symbol.dispose]());

/** A store on a disk that is full when `isFull` says so. */
function onFullDisk(store: Store, isFull: () => boolean): Store {
  const write: Store['write'] = (work) => {
    if (!isFull()) return store.write(work);
    throw new VmplugError('state-unavailable', { action: 'write', subject: 'state', reason: 'full' });
  };
  return {
    read: (work) => store.read(work),
    write,
    writeSoon: write,
    writeTogether: async (work) => write(work),
    [Symbol.dispose]: () => store[Symbol.dispose](),
  };
}

describe('W91: the state cannot be written any more', () => {
  test.each(['blockdev-add', 'device_add', 'observe'])(
    'from %s of an attach on: the device is settled when it can be written again',
    async (stage) => {
      let full = false;
      const bench = new Bench(onFullDisk(kept.store, () => full));
      const stop = bench.machine.onExchange((name) => (full ||= name === stage));
      expect((await errorOf(bench.attach('a'))).code).toBe('state-unavailable');
      stop();
      full = false;
      expect([...(await bench.settle()).values()]).toEqual(['attached']);
      bench.expectSettled();
    },
  );

  test('from the request of a detach on: likewise', async () => {
    let full = false;
    const bench = new Bench(onFullDisk(kept.store, () => full));
    const { id } = await bench.attach('a');
    const stop = bench.machine.onExchange((name) => (full ||= name === 'device_del'));
    expect((await errorOf(bench.detach(id))).code).toBe('state-unavailable');
    stop();
    full = false;
    expect(await bench.settle()).toEqual(new Map([[id, 'released']]));
    bench.expectNothingLeft('a');
  });

  test('before the first command: nothing is sent', async () => {
    const bench = new Bench(onFullDisk(kept.store, () => kept.store.read((tx) => tx.sandboxes()).length > 0));
    expect((await errorOf(bench.attach('a'))).code).toBe('state-unavailable');
    expect(bench.machine.log).toEqual([]);
  });
});

describe('another operation found that the VM has ended, and freed everything', () => {
  test('an attach that was under way does not bring its record back', async () => {
    const bench = new Bench(kept.store);
    bench.machine.onExchange((name) => name === 'observe' && releaseAll(bench.context));
    expect((await errorOf(bench.attach('a'))).code).toBe('vm-gone');
    expect(bench.attachments()).toEqual([]);
  });

  test.each(['refuses', 'ignores'] as const)('nor does a detach whose guest %s', async (onUnplug) => {
    const bench = new Bench(kept.store, { guest: { onUnplug } });
    const { id } = await bench.attach('a');
    bench.machine.onExchange((name) => name === 'device_del' && releaseAll(bench.context));
    await errorOf(bench.detach(id, { timeoutMs: 5 }));
    expect(bench.attachments()).toEqual([]);
  });

  test('nor does anything fail when the sandbox itself was forgotten', async () => {
    const bench = new Bench(kept.store);
    bench.machine.onExchange(
      (name) => name === 'observe' && kept.store.write((tx) => tx.deleteSandbox(bench.sandbox.name)),
    );
    expect((await errorOf(bench.attach('a'))).code).toBe('vm-gone');
    expect(kept.store.read((tx) => [...tx.attachments(), ...tx.operations({})])).toEqual([]);
  });
});
