import * as fc from 'fast-check';
import { test } from 'vitest';
import { TestStore } from './bench.testing.ts';
import { happenings } from './histories-happenings.testing.ts';
import { World } from './histories.testing.ts';

test('whatever happens to two sandboxes, disks, a group and a network card, no device is lost and none is had twice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happenings, { minLength: 1, maxLength: 30, size: 'max' }), async (history) => {
      using kept = new TestStore();
      using world = new World(kept.store);
      for (const happening of history) await world.happen(happening);
      await world.end();
    }),
    { numRuns: 40, endOnFailure: false, interruptAfterTimeLimit: 15_000 },
  );
});
