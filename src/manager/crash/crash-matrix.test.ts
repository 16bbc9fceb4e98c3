import { afterAll, beforeAll, expect, test } from 'vitest';
import { pluggedKinds } from './kinds.testing.ts';
import { crashMatrix } from './matrix.testing.ts';
import { Victims } from './victims.testing.ts';

// Every point of every kind is for the long layer; here are those at which something changes hands.

/** Processes are started, and their program is made first: much for a machine that is busy. */
const patienceMs = 90_000;

let victims: Victims;
beforeAll(async () => {
  victims = await Victims.make();
}, patienceMs);
afterAll(() => victims[Symbol.asyncDispose]());

const decisive = {
  attach: ['commit before 1', 'commit after 1', 'device_add done 1'],
  detach: ['commit after 1', 'device_del done 1', 'blockdev-del before 1'],
};

test.each(['attach', 'detach'] as const)(
  'killed with SIGKILL in %s: finished or undone',
  { timeout: patienceMs },
  async (action) => {
    const kind = pluggedKinds['virtio-blk'];
    if (kind === undefined) throw new TypeError('disks are a kind');
    const { rows, missed } = await crashMatrix(
      kind,
      action,
      () => victims.next(),
      ({ point }) => decisive[action].includes(point),
    );
    expect(missed).toEqual([]);
    expect(rows.length).toBeGreaterThanOrEqual(decisive[action].length);
  },
);
