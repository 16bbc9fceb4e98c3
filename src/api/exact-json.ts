import type { JsonValue } from './json.ts';

// Not in TypeScript's library yet: https://github.com/tc39/proposal-json-parse-with-source
type Reviver = (key: string, value: JsonValue, context: { readonly source?: string }) => JsonValue;
interface ExactJson {
  parse(text: string, reviver?: Reviver): JsonValue;
  rawJSON(text: string): object;
}
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const json = JSON as unknown as ExactJson;

// An integer that a double cannot hold has 16 digits or more, and in JSON only these can stand
// before it: digits inside a string or after a decimal point don't take the slow way.
const anyLongRun = /\d{16}/;
const longNumber = /(?:^|[[,:\s])-?\d{16}/;
const integerLiteral = /^-?\d+$/;

// The longest integer of QMP has 20 digits. Making a bigint of millions takes seconds, which a
// hostile peer could use; beyond this it becomes a double as with JSON.parse.
const longestInteger = 1024;

/**
 * `JSON.parse`, except that an integer beyond ±(2^53 − 1) becomes an exact bigint. Numbers written
 * with a point or an exponent stay numbers. `__proto__` is a key like any other.
 * @throws SyntaxError when `text` is not JSON; RangeError when it is nested too deeply
 */
export function parseExact(text: string): JsonValue {
  return anyLongRun.test(text) && longNumber.test(text) ? json.parse(text, exact) : json.parse(text);
}

function exact(_key: string, value: JsonValue, context: { readonly source?: string }): JsonValue {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) {
    return value;
  }
  const source = context.source ?? '';
  return integerLiteral.test(source) && source.length <= longestInteger ? BigInt(source) : value;
}

/**
 * `JSON.stringify`, except that a bigint becomes its bare digits. The holder is asked for the
 * value, so that a `toJSON` put on BigInt.prototype by someone else has no say.
 * @param indent spaces for each level; everything on one line where it is left out
 * @throws TypeError for NaN and the infinities, which JSON.stringify turns into null without a word
 */
export function stringifyExact(value: JsonValue | object, indent?: number): string {
  return JSON.stringify(value, bare, indent);
}

function bare(this: Record<string, unknown>, key: string, given: unknown): unknown {
  const held = this[key];
  if (typeof held === 'bigint') {
    return json.rawJSON(held.toString());
  }
  if (typeof held === 'number' && !Number.isFinite(held)) {
    throw new TypeError(`${held} cannot be written as JSON`);
  }
  return given;
}
