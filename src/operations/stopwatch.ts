import type { Timeline } from '../api/operation.ts';

/** Measures the stages of one operation, in milliseconds to a hundredth. */
export class Stopwatch {
  readonly #started = performance.now();
  #last = this.#started;
  readonly #stages: Record<string, number> = {};

  /** Ends a stage that began with the one before; a stage that comes twice adds up. */
  lap(stage: string): void {
    const now = performance.now();
    this.#stages[stage] = rounded((this.#stages[stage] ?? 0) + now - this.#last);
    this.#last = now;
  }

  timeline(): Timeline {
    return { ...this.#stages, total: rounded(performance.now() - this.#started) };
  }
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100;
}
