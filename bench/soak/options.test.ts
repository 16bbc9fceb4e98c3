import { expect, test } from 'vitest';
import { readSoakOptions } from './options.ts';

test('ten thousand cycles by default, with the plot beside the samples', () => {
  expect(readSoakOptions(['--json', '/a/b.json'])).toMatchObject({
    cycles: 10_000,
    every: 100,
    svg: '/a/b.svg',
  });
});

test.each([
  ['--cycles', '0'],
  ['--every', 'many'],
  ['--cycles', '10'],
  ['--nothing', '1'],
])('%s %s is refused', (...args) => {
  expect(() => readSoakOptions(args)).toThrow(TypeError);
});
