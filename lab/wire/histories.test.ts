import * as fc from 'fast-check';
import { test } from 'vitest';
import { wireHappenings } from './happenings.testing.ts';
import { WireWorld } from './histories.testing.ts';

test('whatever happens on the wire, in the guests and among two clients, no disk is lost and none is had twice', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(wireHappenings, { minLength: 1, maxLength: 12, size: 'max' }),
      async (history) => {
        await using world = await WireWorld.start();
        for (const happening of history) await world.happen(happening);
        await world.end();
      },
    ),
    { numRuns: 8, endOnFailure: false, interruptAfterTimeLimit: 12_000 },
  );
}, 120_000);
