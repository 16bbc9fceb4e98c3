/**
 * Gives out the lowest free number of a range, in logarithmic time however full it is (W110):
 * numbers below the highest that was ever given out are kept in a heap once they are free.
 */
export class LowestFree {
  readonly #last: number;
  /** A binary heap: no number is higher than those at `2i + 1` and `2i + 2`. */
  readonly #freed: number[] = [];
  #next: number;

  /** @param taken what is in use already; numbers outside the range count for nothing */
  constructor(first: number, last: number, taken: Iterable<number> = []) {
    this.#last = last;
    this.#next = first;
    const inRange = [...new Set(taken)].filter((number) => number >= first && number <= last);
    for (const number of inRange.toSorted((a, b) => a - b)) {
      for (; this.#next < number; this.#next += 1) this.free(this.#next);
      this.#next = number + 1;
    }
  }

  /** The lowest free number, which is then in use; `undefined` when there is none. */
  take(): number | undefined {
    const [lowest] = this.#freed;
    if (lowest === undefined) return this.#next > this.#last ? undefined : this.#next++;
    const moved = this.#freed.pop() ?? lowest;
    if (this.#freed.length > 0) this.#sink(moved);
    return lowest;
  }

  /** Takes back a number that is in use. */
  free(number: number): void {
    let at = this.#freed.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = this.#freed[above] ?? number;
      if (parent <= number) break;
      this.#freed[at] = parent;
      at = above;
    }
    this.#freed[at] = number;
  }

  /** Puts `number` where the top was, below whatever is lower. */
  #sink(number: number): void {
    let at = 0;
    for (;;) {
      const left = this.#freed[2 * at + 1] ?? Infinity;
      const right = this.#freed[2 * at + 2] ?? Infinity;
      if (number <= Math.min(left, right)) break;
      this.#freed[at] = Math.min(left, right);
      at = left < right ? 2 * at + 1 : 2 * at + 2;
    }
    this.#freed[at] = number;
  }
}
