import { VmplugError } from '../../api/errors.ts';

/** An object of a saved state. */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads the fields of one saved object as Go's decoder does: what is absent or null has the zero
 * value of its type. Unlike it, what is of another type is refused.
 */
export class StateFields {
  readonly #fields: Fields;
  readonly #where: string;
  readonly #device: string;

  /**
   * @param where the path of the object in the state, for messages: `VFIODevs[2]`
   * @throws VmplugError `invalid-state` when `value` is not an object
   */
  constructor(value: unknown, device: string, where: string) {
    if (!isFields(value)) {
      throw invalidState(device, `${where} is ${value === null ? 'null' : typeof value}, not an object`);
    }
    this.#fields = value;
    this.#where = where;
    this.#device = device;
  }

  get(key: string): unknown {
    return Object.hasOwn(this.#fields, key) ? this.#fields[key] : undefined;
  }

  text(key: string): string {
    const value = this.get(key) ?? '';
    return typeof value === 'string' ? value : this.refuse(key, 'not a text');
  }

  flag(key: string): boolean {
    const value = this.get(key) ?? false;
    return typeof value === 'boolean' ? value : this.refuse(key, 'neither true nor false');
  }

  /** A whole number that a double holds exactly, not below `least`. */
  whole(key: string, least: number): number {
    const value = this.get(key) ?? 0;
    const isWhole = typeof value === 'number' && Number.isSafeInteger(value) && value >= least;
    return isWhole ? value : this.refuse(key, `not a whole number from ${least}`);
  }

  /** A count of 64 bits; a number beyond 2^53 is refused, because it was rounded. */
  count(key: string, most: bigint): bigint {
    const value = this.get(key) ?? 0;
    if (typeof value === 'number' && !Number.isSafeInteger(value)) return this.refuse(key, 'not exact');
    const count = typeof value === 'number' || typeof value === 'bigint' ? BigInt(value) : -1n;
    return count >= 0n && count <= most ? count : this.refuse(key, `not a whole number from 0 to ${most}`);
  }

  oneOf<T>(key: string, values: readonly T[], zero: T): T {
    const value = this.get(key) ?? zero;
    return values.find((each) => each === value) ?? this.refuse(key, `none of ${values.join(', ')}`);
  }

  /** A fresh map of texts, or null. */
  texts(key: string): Record<string, string> | null {
    const value = this.get(key);
    if (value === undefined || value === null) return null;
    if (!isFields(value)) return this.refuse(key, 'not an object');
    return Object.fromEntries(
      Object.entries(value).map(([name, text]) => [
        name,
        typeof text === 'string' ? text : this.refuse(`${key}.${name}`, 'not a text'),
      ]),
    );
  }

  refuse(key: string, reason: string): never {
    throw invalidState(this.#device, `${this.#where === '' ? key : `${this.#where}.${key}`} is ${reason}`);
  }
}

export function invalidState(device: string, reason: string): VmplugError {
  return new VmplugError('invalid-state', {
    action: 'load the saved device',
    subject: device,
    reason,
    hint: 'nothing was loaded; mend or remove this entry of the saved state',
  });
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
