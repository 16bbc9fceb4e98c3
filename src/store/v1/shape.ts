import type { ErrorCode } from '../../api/error-codes.ts';
import { VmplugError } from '../../api/errors.ts';
import type { JsonObject, JsonValue } from '../../api/json.ts';

/** Which value of which document is being read. */
export interface Where {
  /** The file, or what else the document is known by. */
  readonly document: string;
  /** `$.Devices[3].ID` */
  readonly path: string;
}

/**
 * Reads one value as Go's decoder does: what is absent or `null` is the type's zero value.
 * @throws VmplugError `invalid-state` with the path, where Go would refuse it too
 */
export type Shape<T> = (value: JsonValue | undefined, where: Where) => T;

/** The error for a value that v1 could not have written; `facts.path` says which. */
export function invalid(where: Where, reason: string, code: ErrorCode = 'invalid-state'): VmplugError {
  return new VmplugError(code, {
    action: 'read the saved state',
    subject: where.document,
    reason: `${where.path}: ${reason}`,
    hint: 'restore the file from where it came; nothing was changed',
    facts: { path: where.path, document: where.document },
  });
}

/** A text. Half a surrogate pair becomes U+FFFD, as in Go. */
export const text: Shape<string> = (value, where) => {
  if (isNone(value)) return '';
  if (typeof value !== 'string') throw invalid(where, `a text is needed, this is ${kindOf(value)}`);
  return value.toWellFormed();
};

export const flag: Shape<boolean> = (value, where) => {
  if (isNone(value)) return false;
  if (typeof value !== 'boolean') throw invalid(where, `true or false is needed, this is ${kindOf(value)}`);
  return value;
};

/** A whole number of a Go type that goes from `least` to `most`; a bigint where it is beyond 2^53. */
function wholeNumber(least: bigint, most: bigint): Shape<number | bigint> {
  return (value, where) => {
    if (isNone(value)) return 0;
    const isWhole = typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value));
    if (!isWhole) throw invalid(where, `a whole number is needed, this is ${kindOf(value)}`);
    if (value < least || value > most) {
      throw invalid(where, `${value} is not between ${least} and ${most}`);
    }
    return value === 0 ? 0 : value;
  };
}

/** As {@link wholeNumber}, for what is never beyond 2^53 in truth: pids, indexes, device numbers. */
export function smallNumber(least: number, most: number): Shape<number> {
  const exact = wholeNumber(BigInt(least), BigInt(most));
  return (value, where) => Number(exact(value, where));
}

export const u64 = wholeNumber(0n, 2n ** 64n - 1n);
export const u32 = smallNumber(0, 2 ** 32 - 1);
/** Zero or more; Go's `uint`. */
export const count = smallNumber(0, Number.MAX_SAFE_INTEGER);
/** Go's `int`. */
export const int = smallNumber(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

/** Any JSON, kept as it is; absent is `null`. */
export const opaque: Shape<JsonValue> = (value) => value ?? null;

/** A list; `null` or absent is Go's nil. Its elements cannot be `null`: v1 would crash on one (W101). */
export function list<T>(element: Shape<T>): Shape<readonly T[] | null> {
  return (value, where) => {
    if (isNone(value)) return null;
    if (!isList(value)) throw invalid(where, `a list is needed, this is ${kindOf(value)}`);
    return value.map((item, index) => {
      const at = { ...where, path: `${where.path}[${index}]` };
      if (item === null) throw invalid(at, 'null cannot be an element');
      return element(item, at);
    });
  };
}

/** A map with any keys; `null` or absent is Go's nil. */
export function map<T>(element: Shape<T>): Shape<Readonly<Record<string, T>> | null> {
  return (value, where) => {
    if (isNone(value)) return null;
    if (!isObject(value)) throw invalid(where, `an object is needed, this is ${kindOf(value)}`);
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, element(item, member(where, key))]),
    );
  };
}

/**
 * A map whose keys are whole numbers, written as Go writes them: decimal, no sign, no leading zero. `null` and
 * absent are empty.
 */
export function numberedMap<T>(element: Shape<T>, most: number): Shape<Readonly<Record<string, T>>> {
  const anyMap = map(element);
  return (value, where) => {
    const read = anyMap(value, where) ?? {};
    for (const key of Object.keys(read)) {
      if (!/^(0|[1-9]\d*)$/.test(key) || Number(key) > most) {
        throw invalid(member(where, key), `the key is not a whole number from 0 to ${most}`);
      }
    }
    return read;
  };
}

/** `undefined` for absent and `null`: what Go's `omitempty` leaves out of a pointer. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return (value, where) => (isNone(value) ? undefined : shape(value, where));
}

/** The members of an object by their Go names. */
export interface Fields {
  /** Reads the member `key`, whatever the case of its letters in the document. */
  readonly get: <T>(key: string, shape: Shape<T>) => T;
  /** The members that nobody asked for, as they are. */
  readonly others: () => JsonObject;
}

/**
 * Opens an object. As in Go a key fits a name that equals it but for the case of letters, and of several the
 * last counts. `null` and absent have no members.
 */
export function fields(value: JsonValue | undefined, where: Where): Fields {
  if (!isNone(value) && !isObject(value)) {
    throw invalid(where, `an object is needed, this is ${kindOf(value)}`);
  }
  const entries = Object.entries(isNone(value) ? {} : value);
  const byFold = new Map(entries.map(([key, held]) => [fold(key), held]));
  const asked = new Set<string>();
  return {
    get: (key, shape) => {
      asked.add(fold(key));
      return shape(byFold.get(fold(key)), member(where, key));
    },
    others: () => Object.fromEntries(entries.filter(([key]) => !asked.has(fold(key)))),
  };
}

/** `strings.EqualFold` for names of ASCII letters: the long s and the Kelvin sign fold to s and k. */
function fold(key: string): string {
  return key.replaceAll('\u017f', 's').replaceAll('\u212a', 'k').toLowerCase();
}

/** The place of a member of the object at `where`. */
export function member(where: Where, key: string): Where {
  const isName = /^[A-Za-z_]\w*$/.test(key);
  return { ...where, path: isName ? `${where.path}.${key}` : `${where.path}[${JSON.stringify(key)}]` };
}

export function isNone(value: JsonValue | undefined): value is null | undefined {
  return value === undefined || value === null;
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

export function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !isList(value);
}

function kindOf(value: JsonValue): string {
  if (isList(value)) return 'a list';
  if (isObject(value)) return 'an object';
  if (typeof value === 'string') return 'a text';
  if (typeof value === 'boolean') return String(value);
  return `the number ${String(value)}`;
}
