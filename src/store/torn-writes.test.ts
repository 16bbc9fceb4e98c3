import { afterAll, beforeAll, expect, test } from 'vitest';
import { after, before, TornState } from './torn-writes.testing.ts';

let torn: TornState;
beforeAll(() => {
  torn = new TornState();
});
afterAll(() => torn[Symbol.dispose]());

const frame = 24 + 4096;

test('a killed process leaves its last transaction in the log, and it is there', () => {
  expect(torn.wal.length - torn.lastTransaction).toBeGreaterThanOrEqual(3 * frame);
  expect(torn.open(torn.db, torn.wal)).toEqual(after);
});

test('W90: a log cut off anywhere in the last transaction has nothing of it, and all of those before', () => {
  // Every byte in the long tests; here around every edge of a frame and at some places in between.
  const cuts: number[] = [];
  for (let at = torn.lastTransaction; at < torn.wal.length; at += frame) {
    cuts.push(...[0, 1, 23, 24, 25, 511, 512, 2048, frame - 1].map((offset) => at + offset));
  }
  for (const cut of cuts)
    expect(torn.open(torn.db, torn.wal.subarray(0, cut)), `cut at ${cut}`).toEqual(before);
});

test('a bit that is wrong in the last transaction: its checksum drops it, and nothing before it', () => {
  for (let at = torn.lastTransaction; at < torn.wal.length; at += frame) {
    for (const offset of [0, 3, 7, 8, 15, 16, 23, 24, 1000, frame - 1]) {
      const wal = Buffer.from(torn.wal);
      wal.writeUInt8(wal.readUInt8(at + offset) ^ 0x10, at + offset);
      expect(torn.open(torn.db, wal), `byte ${at + offset}`).toEqual(before);
    }
  }
});

test('sectors of the last transaction that never reached the disk', () => {
  for (let at = torn.lastTransaction; at < torn.wal.length; at += 512) {
    const wal = Buffer.from(torn.wal);
    // A sector that is zero as it is changes nothing.
    if (wal.subarray(at, at + 512).every((byte) => byte === 0)) continue;
    wal.fill(0, at, Math.min(at + 512, wal.length));
    expect(torn.open(torn.db, wal), `sector at ${at}`).toEqual(before);
  }
});

test('a checkpoint that was cut off at any page of the database: the log still has all of it', () => {
  using checkpointed = new TornState('checkpointed');
  for (let size = checkpointed.db.length; size >= 4096; size -= 1024) {
    const seen = checkpointed.open(checkpointed.db.subarray(0, size), checkpointed.wal);
    expect(seen, `database of ${size} bytes`).toEqual(after);
  }
});
