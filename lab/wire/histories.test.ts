import * as fc from 'fast-check';
import { afterEach, test } from 'vitest';
import { wireHappenings } from './happenings.testing.ts';
import { Histories } from './histories.testing.ts';

const histories = new Histories();
afterEach(() => histories.ended(), 120_000);

test('whatever happens on the wire, in the guests and among two clients, no disk is lost and none is had twice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(wireHappenings, { minLength: 1, maxLength: 12, size: 'max' }), (history) =>
      histories.live(history),
    ),
    { numRuns: 8, endOnFailure: false, interruptAfterTimeLimit: 12_000 },
  );
}, 120_000);
