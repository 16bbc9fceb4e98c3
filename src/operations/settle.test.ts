import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AttachmentRecord, AttachmentState } from '../api/attachment.ts';
import type { JsonObject } from '../api/json.ts';
import type { OperationRecord } from '../api/operation.ts';
import { ownIdentity } from '../host/process-identity.ts';
import { Bench, deadProcess, errorOf, testDisk, TestStore } from './bench.testing.ts';
import { testSocket } from './hosts.testing.ts';
import { openOperation } from './journal.ts';
import { releaseAll, settleAttachment } from './settle.ts';

let kept: TestStore;
beforeEach(() => {
  kept = new TestStore();
});
afterEach(() => kept[Symbol.dispose]());

/**
 * A bench as a process leaves it that was killed after the first `steps` commands of an attach,
 * with the records as they were then.
 */
async function killedDuringAttach(steps: number): Promise<[Bench, AttachmentRecord]> {
  const bench = new Bench(kept.store);
  const attachment = { ...(await bench.attach('a')), state: 'attaching' } as const;
  const [device] = bench.machine.devices;
  bench.machine.eventsLost = true;
  if (steps < 2 && device !== undefined) bench.machine.letGo(device.id);
  if (steps < 1) bench.machine.nodes.remove(attachment.plan.vmmId);
  bench.machine.eventsLost = false;
  const { evidence: _, ...asBegun } = attachment;
  leave(asBegun, 'attach');
  return [bench, asBegun];
}

/** Writes the records of an operation whose process is gone. */
function leave(attachment: AttachmentRecord, action: OperationRecord['action'], owner = deadProcess): void {
  kept.store.write((tx) => {
    for (const operation of tx.operations({ device: attachment.id }))
      tx.putOperation({ ...operation, state: 'done' });
    tx.putAttachment(attachment);
    openOperation(tx, attachment, action, owner, 1000);
  });
}

describe('an attach whose process was killed', () => {
  test.each([0, 1])('after %i commands: what it did is undone', async (steps) => {
    const [bench, { id }] = await killedDuringAttach(steps);
    expect(await bench.settle()).toEqual(new Map([[id, 'released']]));
    expect(bench.machine.count('blockdev-del')).toBe(steps);
    bench.expectNothingLeft('a');
  });

  test('after the plug: it is attached, with the evidence of now', async () => {
    const [bench, { id }] = await killedDuringAttach(2);
    expect(await bench.settle()).toEqual(new Map([[id, 'attached']]));
    expect(bench.attachments()).toMatchObject([{ state: 'attached', evidence: 'live' }]);
    bench.expectSettled();
    expect(await bench.settle()).toEqual(new Map());
  });
});

test('a connection that was handed over and not used is closed: no VMM lists it', async () => {
  const bench = new Bench(kept.store);
  const host = { ...testSocket('vhost-user-blk', 'blk'), socket: kept.directory };
  const hypervisor = Object.assign(bench.hypervisor, {
    peerChecks: () => Promise.resolve(['leave', 'hand-over'] as const),
  });
  const attached = await bench.attach(host, {}, { hypervisor });
  const { vmmId } = attached.plan;
  const ofVmm = (execute: string, args: JsonObject): unknown =>
    bench.machine.execute({ execute, arguments: args });
  bench.machine.eventsLost = true;
  bench.machine.letGo(vmmId);
  ofVmm('chardev-remove', { id: vmmId });
  ofVmm('getfd', { fdname: vmmId });
  const { evidence: _, ...asBegun } = { ...attached, state: 'attaching' } as const;
  leave(asBegun, 'attach');
  expect(await bench.settle()).toEqual(new Map([[attached.id, 'released']]));
  expect(() => ofVmm('closefd', { fdname: vmmId })).toThrow('not found');
  bench.expectSettled();
});

describe('a detach whose process was killed', () => {
  test('before the request, or while the guest was thinking: it may be asked again', async () => {
    const bench = new Bench(kept.store, { guest: { onUnplug: 'ignores' } });
    const attachment = await bench.attach('a');
    leave({ ...attachment, state: 'detaching' }, 'detach');
    expect(await bench.settle()).toEqual(new Map([[attachment.id, 'detaching']]));
    expect(bench.machine.count('device_del')).toBe(0);
    // Nobody works on it any more, and that is what its journal says.
    bench.expectSettled();
    expect(await bench.settle()).toEqual(new Map([[attachment.id, 'detaching']]));
    bench.machine.guest = { ...bench.machine.guest, onUnplug: 'lets-go' };
    await bench.detach(attachment.id);
    bench.expectNothingLeft('a');
  });

  test.each([true, false])(
    'after the guest let go (node released: %s): it is released',
    async (nodeReleased) => {
      const bench = new Bench(kept.store);
      const attachment = await bench.attach('a');
      leave({ ...attachment, state: 'detaching' }, 'detach');
      bench.machine.letGo(attachment.plan.vmmId);
      if (nodeReleased) bench.machine.nodes.remove(attachment.plan.vmmId);
      expect(await bench.settle()).toEqual(new Map([[attachment.id, 'released']]));
      bench.expectNothingLeft('a');
    },
  );
});

test('what a living process works on is left alone', async () => {
  const bench = new Bench(kept.store);
  const attachment = await bench.attach('a');
  leave({ ...attachment, state: 'attaching' }, 'attach', ownIdentity());
  expect(await bench.settle()).toEqual(new Map());
  expect(bench.attachments()).toMatchObject([{ state: 'attaching' }]);
  expect((await errorOf(bench.detach(attachment.id))).code).toBe('operation-in-progress');
});

test('hard rule 9: settling one device does not take away what a living process has just made for it', async () => {
  const [bench, attachment] = await killedDuringAttach(1);
  leave(attachment, 'attach', ownIdentity());
  expect(await settleAttachment(bench.context, attachment.id)).toBeUndefined();
  expect(bench.machine.nodes.names).toContain(attachment.plan.vmmId);
});

test('hard rule 4: a back end that does not come free delays no other device', async () => {
  const bench = new Bench(kept.store);
  const [first, second] = [await bench.attach('a'), await bench.attach('b')];
  for (const attachment of [first, second]) {
    leave({ ...attachment, state: 'detaching' }, 'detach');
    bench.machine.letGo(attachment.plan.vmmId);
  }
  bench.machine.fail({ on: 'blockdev-del', do: 'refuse', text: 'is in use', meaning: 'in-use', times: 1 });
  const settled = await bench.settle();
  expect(settled).toEqual(new Map([[second.id, 'released']]));
  expect(bench.attachments()).toMatchObject([{ id: first.id, state: 'detaching' }]);
  expect(await bench.settle()).toEqual(new Map([[first.id, 'released']]));
  bench.expectSettled();
});

describe('two settle at once (hard rule 9)', () => {
  const states: AttachmentState[] = ['attaching', 'unknown'];
  test.each(states)('a device that was detached meanwhile (%s) does not come back', async (state) => {
    const bench = new Bench(kept.store);
    const attachment = await bench.attach('a');
    leave({ ...attachment, state }, 'attach');
    const stop = bench.machine.onExchange((name) => {
      if (name !== 'observe') return;
      stop();
      bench.machine.letGo(attachment.plan.vmmId);
      bench.machine.nodes.remove(attachment.plan.vmmId);
      kept.store.write((tx) => tx.deleteAttachment(attachment.id));
    });
    await bench.settle();
    expect(bench.attachments()).toEqual([]);
    bench.expectSound();
  });

  test('a detach that began meanwhile is not taken back', async () => {
    const bench = new Bench(kept.store);
    const attachment = await bench.attach('a');
    leave({ ...attachment, state: 'unknown' }, 'attach');
    const stop = bench.machine.onExchange((name) => {
      if (name !== 'observe') return;
      stop();
      leave({ ...attachment, state: 'detaching' }, 'detach', ownIdentity());
    });
    await bench.settle();
    expect(bench.attachments()).toMatchObject([{ state: 'detaching' }]);
    expect(kept.store.read((tx) => tx.operations({ device: attachment.id }).at(-1))).toMatchObject({
      action: 'detach',
      state: 'running',
    });
  });

  test('both come to the same', async () => {
    const bench = new Bench(kept.store);
    const attachment = await bench.attach('a');
    leave({ ...attachment, state: 'detaching' }, 'detach');
    bench.machine.letGo(attachment.plan.vmmId);
    await Promise.all([bench.settle(), bench.settle()]);
    bench.expectNothingLeft('a');
  });
});

test('settling one: unknown ids are released, a lost VMM is an error', async () => {
  const bench = new Bench(kept.store);
  expect(await settleAttachment(bench.context, 'nothing')).toBe('released');
  const attachment = await bench.attach('a');
  bench.machine.fail({ on: 'inventory', do: 'no-answer', executed: false, waitMs: 1 });
  expect((await errorOf(settleAttachment(bench.context, attachment.id))).code).toBe('deadline-passed');
});

test('pain 38: releaseAll frees what a VM held that has ended, and only that', async () => {
  const bench = new Bench(kept.store);
  const other = new Bench(kept.store, { name: 'vm2' });
  const disk = testDisk('shared', 'shared-read');
  const { id } = await bench.attach(disk);
  await other.attach(disk);
  expect(releaseAll(bench.context)).toEqual([id]);
  expect(bench.attachments()).toEqual([]);
  expect(kept.store.read((tx) => tx.holders('file:1:shared').map(({ sandbox }) => sandbox))).toEqual(['vm2']);
  other.expectSettled();
});
