import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonValue } from './json.ts';
import { parseExact, stringifyExact } from './exact-json.ts';

const leaf = fc.oneof(
  fc.string(),
  fc.boolean(),
  fc.constant(null),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .filter((value) => !Object.is(value, -0) && !isLong(value)),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).filter((value) => !Number.isSafeInteger(Number(value))),
);
const isLong = (value: number): boolean => Number.isInteger(value) && !Number.isSafeInteger(value);
const { value: anyJson } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value')),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor')), tie('value')),
  ),
}));

describe('parseExact and stringifyExact', () => {
  test('what is written is read back exactly', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        expect(parseExact(stringifyExact(value))).toEqual(value);
      }),
    );
  });

  test('any 64-bit integer keeps its digits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
        const text = `{"a": [${value}]}`;
        expect(stringifyExact(parseExact(text))).toBe(`{"a":[${value}]}`);
      }),
    );
  });

  test.each([
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['-9007199254740991', -9007199254740991],
    ['-9007199254740992', -9007199254740992n],
    ['18446744073709551615', 18446744073709551615n],
    ['[1,\t18446744073709551615]', [1, 18446744073709551615n]],
    ['0.12345678901234567890', 0.12345678901234568],
    ['12345678901234567890.5', 12345678901234567000],
    ['12345678901234567890e2', 1.2345678901234568e21],
    [
      '{"a":"12345678901234567890, 12345678901234567890"}',
      { a: '12345678901234567890, 12345678901234567890' },
    ],
    ['{"12345678901234567890":1}', { '12345678901234567890': 1 }],
    ['"12345678901234567890"', '12345678901234567890'],
    [`1${'0'.repeat(2000)}`, Infinity],
  ])('%s', (text, value) => {
    expect(parseExact(text)).toEqual(value);
  });

  test('__proto__ is a key like any other, also on the exact way', () => {
    for (const number of ['1', '18446744073709551615']) {
      const value = parseExact(`{"__proto__":{"polluted":${number}},"a":{"__proto__":1}}`);
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(Object.hasOwn(Object(value), '__proto__')).toBe(true);
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
      expect(stringifyExact(value)).toBe(`{"__proto__":{"polluted":${number}},"a":{"__proto__":1}}`);
    }
  });

  test('what is not JSON throws; deep nesting is no crash', () => {
    expect(() => parseExact('{')).toThrow(SyntaxError);
    const deep = `${'['.repeat(200_000)}18446744073709551615${']'.repeat(200_000)}`;
    expect(() => parseExact(deep)).toThrow(RangeError);
  });

  test('a toJSON on BigInt.prototype has no say', () => {
    Reflect.defineProperty(BigInt.prototype, 'toJSON', { value: () => 'patched', configurable: true });
    try {
      expect(stringifyExact({ a: 2n ** 64n, b: [1n] })).toBe('{"a":18446744073709551616,"b":[1]}');
    } finally {
      Reflect.deleteProperty(BigInt.prototype, 'toJSON');
    }
  });

  test.each([NaN, Infinity, -Infinity])('%d is refused instead of written as null', (value) => {
    expect(() => stringifyExact({ a: [value] })).toThrow(TypeError);
  });

  test('undefined members are left out', () => {
    expect(stringifyExact({ a: undefined, b: 1 })).toBe('{"b":1}');
  });
});
