import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { LowestFree } from './lowest-free.ts';

test('gives out the lowest free number, as a search from the front would', () => {
  const range = fc.integer({ min: 1, max: 12 });
  fc.assert(
    fc.property(fc.array(range), fc.array(fc.option(range), { maxLength: 60 }), (taken, frees) => {
      const free = new LowestFree(1, 12, taken);
      const used = new Set(taken);
      // A number frees it where it is in use; none takes the next.
      for (const number of frees) {
        if (number === null) {
          const expected = Array.from({ length: 12 }, (_, index) => index + 1).find(
            (each) => !used.has(each),
          );
          expect(free.take()).toBe(expected);
          if (expected !== undefined) used.add(expected);
        } else if (used.delete(number)) free.free(number);
      }
    }),
  );
});

test('what is in use outside the range counts for nothing', () => {
  const free = new LowestFree(1, 2, [-5, 0, 3, 4_000_000_000]);
  expect([free.take(), free.take(), free.take()]).toEqual([1, 2, undefined]);
});

test('W110: a nearly full range of 65535 is not walked through', () => {
  const free = new LowestFree(1, 65_535);
  for (let number = 1; number <= 65_535; number += 1) free.take();
  let seen = 0;
  // What a search from the front would do 2 ** 32 times.
  for (let round = 0; round < 65_535; round += 1) {
    free.free(65_535);
    seen += free.take() ?? 0;
  }
  expect(seen).toBe(65_535 * 65_535);
});
