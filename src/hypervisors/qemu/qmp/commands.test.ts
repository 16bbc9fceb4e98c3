import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeCommand } from './commands.ts';

const encode = (value: string): string => encodeCommand(1, { execute: 'x', arguments: { value } }, '/s');

describe('encodeCommand', () => {
  test('one line with exact integers', () => {
    const args = { size: 2n ** 64n - 1n, name: undefined, path: '/a\nb' };
    expect(encodeCommand(5, { execute: 'block_resize', arguments: args }, '/s')).toBe(
      '{"execute":"block_resize","arguments":{"size":18446744073709551615,"path":"/a\\nb"},"id":5}\n',
    );
    expect(encodeCommand(6, { execute: 'stop' }, '/s')).toBe('{"execute":"stop","id":6}\n');
  });

  test('what QEMU cannot parse, and would answer without an id, is refused here', () => {
    for (const value of ['a\0b', '\ud800', 'x\udfff', '\\\0']) {
      expect(() => encode(value)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
    }
    expect(() => encodeCommand(1, { execute: 'x', arguments: { n: NaN } }, '/s')).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });

  test('nothing else is', () => {
    const text = fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0'));
    fc.assert(
      fc.property(text, (value) => {
        expect(JSON.parse(encode(value)).arguments.value).toBe(value);
      }),
    );
    for (const value of ['\\u0000', '\\\\ud800', '\u0001', '😀']) {
      expect(JSON.parse(encode(value)).arguments.value).toBe(value);
    }
  });
});
