import { expect, test } from 'vitest';
import { after, before, TornState } from './torn-writes.testing.ts';

test('W90: a log cut off at every byte of the last transaction has nothing of it, and all of those before', () => {
  using torn = new TornState();
  for (let cut = torn.lastTransaction; cut < torn.wal.length; cut += 1) {
    expect(torn.open(torn.db, torn.wal.subarray(0, cut)), `cut at ${cut}`).toEqual(before);
  }
  expect(torn.open(torn.db, torn.wal)).toEqual(after);
});

test('a checkpoint that was cut off at every byte of its last page: the log still has all of it', () => {
  using torn = new TornState('checkpointed');
  for (let size = torn.db.length - 4096; size <= torn.db.length; size += 1) {
    expect(torn.open(torn.db.subarray(0, size), torn.wal), `database of ${size} bytes`).toEqual(after);
  }
});
