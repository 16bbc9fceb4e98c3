import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { judgeFlatness } from '../bench/soak/flatness.ts';
import { soak } from '../bench/soak/run.ts';
import { guardedDirectory, releaseDirectory } from './guard/guard.ts';

/** Bytes for each cycle: a heap still settles in the first hundreds of them, and a leak of one block node is more. */
const mostBytes = 32 * 1024;

test('a disk goes in and out 200 times, and neither descriptors nor block nodes nor memory grow', async ({
  signal,
}) => {
  const directory = guardedDirectory('vmplug-soak-');
  try {
    const samples = await soak(directory, { cycles: 200, every: 10 }, signal, () => undefined);
    expect(samples).toHaveLength(20);
    expect(judgeFlatness(samples, mostBytes).filter(({ isFlat }) => !isFlat)).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
    releaseDirectory(directory);
  }
});
