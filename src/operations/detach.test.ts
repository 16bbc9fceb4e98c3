import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ownIdentity } from '../host/process-identity.ts';
import { rootPorts, type FaultKind } from '../hypervisors/simulated/index.ts';
import { Bench, deadProcess, errorOf, TestStore } from './bench.testing.ts';

let kept: TestStore;
beforeEach(() => {
  kept = new TestStore();
});
afterEach(() => kept[Symbol.dispose]());

/** A bench with one attached disk. */
async function attached(options: ConstructorParameters<typeof Bench>[1] = {}): Promise<[Bench, string]> {
  const bench = new Bench(kept.store, options);
  const { id } = await bench.attach('a');
  return [bench, id];
}

const lastOperation = (): unknown => kept.store.read((tx) => tx.operations({}).at(-1)?.state);

test('a disk is detached: request, confirmation, back end, record; and can come again', async () => {
  const [bench, id] = await attached();
  expect(await bench.detach(id)).toMatchObject({ state: 'released' });
  expect(bench.machine.log.map(({ command }) => command.execute)).toEqual([
    'blockdev-add',
    'device_add',
    'device_del',
    'blockdev-del',
  ]);
  expect(lastOperation()).toBe('released');
  bench.expectNothingLeft('a');
  expect((await bench.attach('a')).id).not.toBe(id);
});

test('W43: place, claim and node stay taken until the removal is confirmed', async () => {
  const [bench, id] = await attached({ guest: { onUnplug: 'ignores' } });
  const held: number[] = [];
  bench.machine.onExchange((name) => {
    if (name !== 'observe') return;
    held.push(kept.store.read((tx) => tx.takenPlaces('vm1').size + tx.holders('file:1:a').length));
    const device = bench.machine.devices[0];
    if (held.length === 1) expect(device?.leaving).toBe(true);
    if (device !== undefined) bench.machine.letGo(device.id);
  });
  await bench.detach(id);
  expect(held).toEqual([2]);
  bench.expectNothingLeft('a');
});

test('a lost event does not matter: the VMM is asked', async () => {
  const [bench, id] = await attached();
  bench.machine.eventsLost = true;
  expect(await bench.detach(id)).toMatchObject({ state: 'released' });
  expect(bench.machine.count('device_del')).toBe(1);
  bench.expectNothingLeft('a');
});

test('what the VMM does not know, or another sandbox has, is not found', async () => {
  const [bench, id] = await attached();
  const other = new Bench(kept.store, { name: 'vm2' });
  expect((await errorOf(bench.detach('0000'))).code).toBe('device-not-found');
  expect((await errorOf(other.detach(id))).code).toBe('device-not-found');
  bench.expectSettled();
});

describe('a guest that does not let go', () => {
  test('refused: it stays attached, and can be asked again', async () => {
    const [bench, id] = await attached({ guest: { onUnplug: 'refuses' } });
    expect((await errorOf(bench.detach(id))).code).toBe('unplug-refused');
    expect(bench.attachments().map(({ state }) => state)).toEqual(['attached']);
    expect(lastOperation()).toBe('refused');
    bench.expectSettled();
    bench.machine.guest = { ...bench.machine.guest, onUnplug: 'lets-go' };
    await bench.detach(id);
    bench.expectNothingLeft('a');
  });

  test('pain 17, W80: expired is not failed: everything stays reserved until the late answer', async () => {
    const [bench, id] = await attached({ guest: { onUnplug: 'ignores' } });
    expect(await errorOf(bench.detach(id, { timeoutMs: 5 }))).toMatchObject({
      code: 'deadline-passed',
      facts: { outcome: 'expired' },
    });
    expect(bench.attachments().map(({ state }) => state)).toEqual(['detaching']);
    expect(lastOperation()).toBe('expired');
    expect([...(await bench.settle()).values()]).toEqual(['detaching']);
    expect((await errorOf(bench.attach('a'))).code).toBe('already-attached');
    expect(bench.machine.count('device_del')).toBe(1);
    bench.machine.letGo(bench.machine.devices[0]?.id ?? '');
    expect([...(await bench.settle()).values()]).toEqual(['released']);
    expect(lastOperation()).toBe('released');
    bench.expectNothingLeft('a');
  });

  test('asked again by a second detach, with its own deadline', async () => {
    const [bench, id] = await attached({ guest: { onUnplug: 'ignores' } });
    await errorOf(bench.detach(id, { timeoutMs: 5 }));
    bench.machine.guest = { ...bench.machine.guest, onUnplug: 'lets-go' };
    expect(await bench.detach(id)).toMatchObject({ state: 'released' });
    bench.expectNothingLeft('a');
  });

  test('pain 18: nothing is sent to a paused VM', async () => {
    const [bench, id] = await attached();
    bench.machine.pause();
    expect((await errorOf(bench.detach(id))).code).toBe('vm-paused');
    expect(bench.machine.count('device_del')).toBe(0);
    bench.machine.resume();
    bench.expectSettled();
  });

  test('paused while it is asked: said so, and settled when it runs again', async () => {
    const [bench, id] = await attached();
    bench.machine.onExchange((name) => name === 'device_del' && bench.machine.pause());
    expect(await errorOf(bench.detach(id, { timeoutMs: 700 }))).toMatchObject({
      code: 'deadline-passed',
      facts: { outcome: 'paused' },
    });
    expect(lastOperation()).toBe('paused');
    bench.machine.resume();
    expect([...(await bench.settle()).values()]).toEqual(['released']);
    bench.expectNothingLeft('a');
  });

  test('pain 19: a guest whose driver does not run is not asked where that would be lost, and stays attached', async () => {
    const bench = new Bench(kept.store, {
      guest: { onPlug: 'acknowledged' },
      unplugPolicy: () => ({ waitForGuest: true }),
    });
    const { id } = await bench.attach('a', { wait: 'acknowledged' });
    expect(await errorOf(bench.detach(id, { timeoutMs: 5 }))).toMatchObject({
      code: 'deadline-passed',
      facts: { requested: false },
    });
    expect(bench.machine.count('device_del')).toBe(0);
    expect(bench.attachments().map(({ state }) => state)).toEqual(['attached']);
    bench.machine.advance(bench.machine.devices[0]?.id ?? '', 'live');
    await bench.detach(id);
    bench.expectNothingLeft('a');
  });
});

describe('given up by the caller', () => {
  test('before anything was sent: it stays attached', async () => {
    const [bench, id] = await attached();
    expect((await errorOf(bench.detach(id, { signal: AbortSignal.abort() }))).code).toBe('aborted');
    expect(bench.machine.count('device_del')).toBe(0);
    expect(bench.attachments().map(({ state }) => state)).toEqual(['attached']);
    bench.expectSettled();
  });

  test('while the guest is asked: the request stands, and a late answer settles it', async () => {
    const [bench, id] = await attached({ guest: { onUnplug: 'ignores' } });
    const controller = new AbortController();
    bench.machine.onExchange((name) => name === 'device_del' && controller.abort());
    expect(await errorOf(bench.detach(id, { signal: controller.signal }))).toMatchObject({
      code: 'aborted',
      facts: { outcome: 'expired' },
    });
    expect(bench.attachments().map(({ state }) => state)).toEqual(['detaching']);
    bench.machine.letGo(bench.machine.devices[0]?.id ?? '');
    await bench.settle();
    bench.expectNothingLeft('a');
  });

  test('while the back end is released: it is finished', async () => {
    const [bench, id] = await attached();
    const controller = new AbortController();
    bench.machine.onExchange((name) => name === 'blockdev-del' && controller.abort());
    expect(await bench.detach(id, { signal: controller.signal })).toMatchObject({ state: 'released' });
    bench.expectNothingLeft('a');
  });
});

describe('faults', () => {
  const kinds: [string, FaultKind][] = [
    ['refused', { do: 'refuse', text: 'no' }],
    ['not sent', { do: 'unsent' }],
    ['lost before it was carried out', { do: 'lose', executed: false }],
    ['lost after it was carried out', { do: 'lose', executed: true }],
    ['not answered, not carried out', { do: 'no-answer', executed: false, waitMs: 1 }],
    ['not answered, carried out', { do: 'no-answer', executed: true, waitMs: 1 }],
  ];
  const steps = ['status', 'device_del', 'blockdev-del'];
  test.each(kinds.flatMap(([how, kind]) => steps.map((on) => [on, how, kind] as const)))(
    '%s %s: nothing is lost track of, and a second detach ends it',
    async (on, _how, kind) => {
      const [bench, id] = await attached();
      bench.machine.fail({ ...kind, on });
      await bench.detach(id).catch((error: unknown) => expect(error).toHaveProperty('code'));
      bench.expectSound();
      await bench.settle();
      bench.expectSettled();
      expect(bench.machine.count('device_del')).toBeLessThanOrEqual(1);
      if (bench.attachments().length > 0) await bench.detach(id);
      bench.expectNothingLeft('a');
    },
  );

  test('W43: a back end that cannot be released is not recorded as attached, and goes with a later settle', async () => {
    const [bench, id] = await attached();
    bench.machine.fail({ on: 'blockdev-del', do: 'refuse', text: 'no', times: 2 });
    const error = await errorOf(bench.detach(id));
    expect(error.code).toBe('vmm-refused');
    expect(bench.attachments().map(({ state }) => state)).toEqual(['detaching']);
    bench.expectSound();
    expect([...(await bench.settle()).values()]).toEqual(['released']);
    bench.expectNothingLeft('a');
  });

  test('a back end that is still in use for a moment is tried again', async () => {
    const [bench, id] = await attached();
    bench.machine.fail({ on: 'blockdev-del', do: 'refuse', text: 'is in use', meaning: 'in-use', times: 3 });
    await bench.detach(id);
    bench.expectNothingLeft('a');
  });

  test('the VMM refuses the request itself: it stays attached', async () => {
    const [bench, id] = await attached();
    bench.machine.fail({ on: 'device_del', do: 'refuse', text: 'Bus does not support hotplugging' });
    expect((await errorOf(bench.detach(id))).code).toBe('unplug-refused');
    expect(bench.attachments().map(({ state }) => state)).toEqual(['attached']);
    bench.expectSettled();
  });

  test('the VMM refuses the request while an earlier one stands: that one is not forgotten', async () => {
    const [bench, id] = await attached({ guest: { onUnplug: 'ignores' } });
    await errorOf(bench.detach(id, { timeoutMs: 5 }));
    bench.machine.fail({ on: 'device_del', do: 'refuse', text: 'no' });
    expect((await errorOf(bench.detach(id))).code).toBe('unplug-refused');
    expect(bench.attachments().map(({ state }) => state)).toEqual(['detaching']);
    bench.machine.letGo(bench.machine.devices[0]?.id ?? '');
    await bench.settle();
    bench.expectNothingLeft('a');
  });

  test('the guest let go by itself before: found out and released', async () => {
    const [bench, id] = await attached();
    bench.machine.eventsLost = true;
    bench.machine.letGo(bench.machine.devices[0]?.id ?? '');
    expect(await bench.detach(id)).toMatchObject({ state: 'released' });
    bench.expectNothingLeft('a');
  });
});

test.each(['device_del', 'blockdev-del'])(
  'pain 38: the VM ends during %s: that is a success',
  async (stage) => {
    const [bench, id] = await attached({ process: deadProcess });
    bench.machine.onExchange((name) => name === stage && bench.machine.die());
    expect(await bench.detach(id)).toMatchObject({ state: 'gone' });
    expect(bench.attachments()).toEqual([]);
    expect(lastOperation()).toBe('gone');
  },
);

test('a VM whose end is not sure keeps what it has', async () => {
  const [bench, id] = await attached({ process: ownIdentity() });
  bench.machine.onExchange((name) => name === 'device_del' && bench.machine.die());
  expect((await errorOf(bench.detach(id))).code).toBe('outcome-unknown');
  expect(bench.attachments().map(({ state }) => state)).toEqual(['detaching']);
});

test('native hot-plug: a button is not pressed again while the guest is thinking', async () => {
  const [bench, id] = await attached({
    buses: rootPorts(1, 'pcie-native'),
    guest: { onUnplug: 'ignores' },
    unplugPolicy: () => ({ waitForGuest: false, repeatAfterMs: 10_000 }),
  });
  await errorOf(bench.detach(id, { timeoutMs: 5 }));
  expect(bench.machine.count('device_del')).toBe(1);
});
