import { expect, test } from 'vitest';
import { shortened, visible } from './visible.ts';

test('what could upset a terminal is escaped, and nothing else', () => {
  expect(visible('büchse 盘 👍 "a"\\')).toBe('büchse 盘 👍 "a"\\');
  expect(visible('a\nb\tc\rd')).toBe('a\\nb\\tc\\rd');
  expect(visible('\u001b[31m\u0000\u007f\u009b')).toBe('\\u001b[31m\\u0000\\u007f\\u009b');
  expect(visible('a\u202eb\u2028c\u200bd')).toBe('a\\u202eb\\u2028c\\u200bd');
  expect(visible('tag\u{e0041}')).toBe('tag\\u{e0041}');
});

test('long text keeps both ends and says how long it was', () => {
  expect(shortened('short', 10)).toBe('short');
  expect(shortened('abcdefghijklmnop', 6)).toBe('abc… (16 characters) …nop');
});
