import { expect, test } from 'vitest';
import { readManagerOptions } from './options.ts';

test('the plot lies beside the figures', () => {
  expect(readManagerOptions(['--json', '/a/b.json'])).toMatchObject({ json: '/a/b.json', svg: '/a/b.svg' });
  expect(readManagerOptions(['--svg', 'p.svg'])).toMatchObject({ svg: 'p.svg' });
});

test.each([['--rounds', '0'], ['--rounds', 'many'], ['--sittings', '1.5'], ['--nothing']])(
  '%s %s is refused',
  (...args) => {
    expect(() => readManagerOptions(args.filter((arg) => arg !== undefined))).toThrow(TypeError);
  },
);
