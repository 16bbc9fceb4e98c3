import { expect, test } from 'vitest';
import { timingLines } from './lines.ts';

test('the longest part comes first, and short ones are one line', () => {
  const times = [
    { file: 'a', ms: 999 },
    { file: 'b', ms: 1000 },
    { file: 'c', ms: 123_456 },
    { file: 'd', ms: 1 },
  ];
  expect(timingLines(times)).toEqual([
    '  123.5 s  c',
    '    1.0 s  b',
    '    1.0 s  2 files of less than a second each',
  ]);
  expect(timingLines([])).toEqual([]);
});
