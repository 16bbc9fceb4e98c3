import * as fc from 'fast-check';
import { test } from 'vitest';
import { TestStore } from './bench.testing.ts';
import { happenings } from './histories-happenings.testing.ts';
import { World } from './histories.testing.ts';

test('long histories of two sandboxes and their devices, many of them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(happenings, { minLength: 30, maxLength: 120, size: 'max' }),
      async (history) => {
        using kept = new TestStore();
        using world = new World(kept.store);
        for (const happening of history) await world.happen(happening);
        await world.end();
      },
    ),
    { numRuns: 300, interruptAfterTimeLimit: 60_000 },
  );
});
