import { expect, test } from 'vitest';
import { bump, mostCounted, savedCount } from './attach-count.ts';

const max = 2n ** 64n - 1n;

test.each([
  [0n, true, { count: 1n, skip: false }],
  [1n, true, { count: 2n, skip: true }],
  [max - 1n, true, { count: max, skip: true }],
  [max, true, { count: max, skip: true, error: 'too-many-attachments' }],
  [0n, false, { count: 0n, skip: true, error: 'device-not-attached' }],
  [1n, false, { count: 0n, skip: false }],
  [2n, false, { count: 1n, skip: true }],
  [max, false, { count: max - 1n, skip: true }],
])('7.2 bump: from %s, attach %s', (count, attach, expected) => {
  expect(bump(count, attach)).toEqual(expected);
});

test('Appendix A: a count is saved as a number while that is exact, and then as a bigint', () => {
  expect(mostCounted).toBe(max);
  expect(savedCount(2n ** 53n - 1n)).toBe(2 ** 53 - 1);
  expect(savedCount(2n ** 53n)).toBe(2n ** 53n);
  expect(savedCount(max)).toBe(max);
});
