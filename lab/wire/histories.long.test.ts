import * as fc from 'fast-check';
import { afterEach, test } from 'vitest';
import { wireHappenings } from './happenings.testing.ts';
import { Histories } from './histories.testing.ts';

const histories = new Histories();
afterEach(() => histories.ended(), 120_000);

test('long histories of two VMs, their disks and two clients, with faults on the wire', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(wireHappenings, { minLength: 20, maxLength: 80, size: 'max' }), (history) =>
      histories.live(history),
    ),
    { numRuns: 100, interruptAfterTimeLimit: 60_000 },
  );
}, 900_000);
