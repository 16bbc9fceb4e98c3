import { expect, test } from 'vitest';
import { after, before, TornState } from './torn-writes.testing.ts';

/** Some 54,000 states are opened; reading every page of each as well would take as long again. */
const timeout = 1_800_000;
const isChecked = (size: number): boolean => size % 64 === 0;

test(
  'W90: a log cut off at every byte of the last transaction has nothing of it, and all of those before',
  { timeout },
  () => {
    using torn = new TornState();
    for (let cut = torn.lastTransaction; cut < torn.wal.length; cut += 1) {
      expect(torn.open(torn.db, torn.wal.subarray(0, cut), isChecked(cut)), `cut at ${cut}`).toEqual(before);
    }
    expect(torn.open(torn.db, torn.wal)).toEqual(after);
  },
);

test(
  'a checkpoint that was cut off at every byte of its last page: the log still has all of it',
  { timeout },
  () => {
    using torn = new TornState('checkpointed');
    for (let size = torn.db.length - 4096; size <= torn.db.length; size += 1) {
      expect(
        torn.open(torn.db.subarray(0, size), torn.wal, isChecked(size)),
        `database of ${size} bytes`,
      ).toEqual(after);
    }
  },
);
