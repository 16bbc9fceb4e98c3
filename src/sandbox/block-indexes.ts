import { VmplugError } from '../api/errors.ts';

/** v1's limit: indexes 0 to 65534 (`virtcontainers/sandbox.go`). */
export const mostBlockIndexes = 65_535;

const wordBits = 32;
const fullWord = 0xffff_ffff;

/**
 * The block indexes of a sandbox: the lowest free one is given out. Two levels of bits, so that
 * finding it costs the same however many are taken.
 */
export class BlockIndexes {
  readonly #limit: number;
  /** A bit for each index that is taken. */
  readonly #taken: Uint32Array;
  /** A bit for each word of {@link #taken} that has no free index left. */
  readonly #full: Uint32Array;

  /**
   * @param limit how many indexes there are: Firecracker's pool of drives has 8
   * @param taken those that are in use at the beginning
   */
  constructor(taken: Iterable<number> = [], limit = mostBlockIndexes) {
    this.#limit = limit;
    this.#taken = new Uint32Array(Math.ceil(limit / wordBits));
    this.#full = new Uint32Array(Math.ceil(this.#taken.length / wordBits));
    for (const index of taken) this.#set(index);
  }

  /**
   * Takes the lowest free index.
   * @throws VmplugError `too-many-devices`
   */
  take(): number {
    const group = this.#full.findIndex((bits) => bits !== fullWord);
    const word = group * wordBits + lowestZero(this.#full[group] ?? fullWord);
    const index = word * wordBits + lowestZero(this.#taken[word] ?? fullWord);
    if (group < 0 || index >= this.#limit) {
      throw new VmplugError('too-many-devices', {
        action: 'take a block index',
        subject: `${this.#limit} indexes`,
        reason: 'every one of them is taken',
        hint: 'detach a block device of this sandbox first',
        facts: { limit: this.#limit },
      });
    }
    this.#set(index);
    return index;
  }

  /** Frees an index; one that is not taken, and -1, are accepted, as in v1. */
  free(index: number): void {
    if (!this.has(index)) return;
    const word = Math.floor(index / wordBits);
    this.#taken[word] = (this.#taken[word] ?? 0) & ~(1 << (index % wordBits));
    const group = Math.floor(word / wordBits);
    this.#full[group] = (this.#full[group] ?? 0) & ~(1 << (word % wordBits));
  }

  has(index: number): boolean {
    if (!Number.isInteger(index) || index < 0 || index >= this.#limit) return false;
    return (((this.#taken[Math.floor(index / wordBits)] ?? 0) >>> (index % wordBits)) & 1) === 1;
  }

  /** Those that are taken, ascending. */
  *[Symbol.iterator](): Generator<number> {
    for (const [word, bits] of this.#taken.entries()) {
      if (bits === 0) continue;
      for (let bit = 0; bit < wordBits; bit += 1) if (((bits >>> bit) & 1) === 1) yield word * wordBits + bit;
    }
  }

  #set(index: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.#limit) {
      throw new VmplugError('invalid-argument', {
        action: 'take the block index',
        subject: String(index),
        reason: `an index is a whole number from 0 to ${this.#limit - 1}`,
      });
    }
    const word = Math.floor(index / wordBits);
    const bits = ((this.#taken[word] ?? 0) | (1 << (index % wordBits))) >>> 0;
    this.#taken[word] = bits;
    if (bits !== fullWord) return;
    const group = Math.floor(word / wordBits);
    this.#full[group] = (this.#full[group] ?? 0) | (1 << (word % wordBits));
  }
}

/** The position of the lowest bit that is 0; 32 when there is none. */
function lowestZero(bits: number): number {
  const lowest = ~bits & (bits + 1);
  return lowest === 0 ? wordBits : 31 - Math.clz32(lowest);
}
