import * as fc from 'fast-check';
import { test } from 'vitest';
import { wireHappenings } from './happenings.testing.ts';
import { WireWorld } from './histories.testing.ts';

test('long histories of two VMs, their disks and two clients, with faults on the wire', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(wireHappenings, { minLength: 20, maxLength: 80, size: 'max' }),
      async (history) => {
        await using world = await WireWorld.start();
        for (const happening of history) await world.happen(happening);
        await world.end();
      },
    ),
    { numRuns: 100, interruptAfterTimeLimit: 300_000 },
  );
}, 900_000);
