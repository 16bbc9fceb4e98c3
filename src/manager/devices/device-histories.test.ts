import * as fc from 'fast-check';
import { test } from 'vitest';
import { deviceHappenings } from './device-happenings.testing.ts';
import { DeviceWorld } from './device-histories.testing.ts';

test('whatever happens to the devices of a manager, none is lost and what fails changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(deviceHappenings, { minLength: 1, maxLength: 100, size: 'max' }),
      async (history) => {
        const world = new DeviceWorld();
        for (const happening of history) await world.happen(happening);
        await world.end();
      },
    ),
    { numRuns: 80, endOnFailure: false, interruptAfterTimeLimit: 15_000 },
  );
});
