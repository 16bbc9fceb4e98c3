import * as fc from 'fast-check';
import { test } from 'vitest';
import { deviceHappenings } from './device-happenings.testing.ts';
import { DeviceWorld } from './device-histories.testing.ts';

test('long histories of the devices of a manager, many of them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(deviceHappenings, { minLength: 50, maxLength: 400, size: 'max' }),
      async (history) => {
        const world = new DeviceWorld();
        for (const happening of history) await world.happen(happening);
        await world.end();
      },
    ),
    { numRuns: 300, interruptAfterTimeLimit: 60_000 },
  );
});
