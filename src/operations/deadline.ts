import type { ExchangeOptions } from '../api/hypervisor.ts';

/** A point in time by which something has to be done, and the caller's way to give up before. */
export class Deadline {
  /** On the clock of `performance.now()`. */
  readonly at: number;
  readonly milliseconds: number;
  readonly signal: AbortSignal | undefined;

  constructor(milliseconds: number, signal?: AbortSignal) {
    this.milliseconds = milliseconds;
    this.at = performance.now() + milliseconds;
    this.signal = signal;
  }

  remaining(): number {
    return Math.max(0, this.at - performance.now());
  }

  passed(): boolean {
    return performance.now() >= this.at;
  }

  /** Limits for an exchange with the VMM: at least `leastMs`, so that a started one can end. */
  exchange(leastMs = 1): ExchangeOptions {
    const timeoutMs = Math.max(leastMs, this.remaining());
    return this.signal === undefined ? { timeoutMs } : { timeoutMs, signal: this.signal };
  }
}
