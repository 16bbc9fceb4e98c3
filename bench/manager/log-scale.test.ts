import { expect, test } from 'vitest';
import { logScale } from './log-scale.ts';

test('whole decades that have room for all values', () => {
  const scale = logScale([14, 299, 30], 200, 0);
  expect(scale.ticks).toEqual([10, 100, 1000]);
  expect([10, 100, 1000].map((value) => scale.at(value))).toEqual([200, 100, 0]);
});

test('values that are one and the same have a decade', () => {
  expect(logScale([10], 0, 100).ticks).toEqual([10, 100]);
  expect(logScale([0.5], 0, 100).ticks).toEqual([0.1, 1]);
});
