import { withinLimits, type GaveUp, type WaitOptions } from './limits.ts';

/**
 * One attempt at something, which many callers wait for, each within limits of its own. It is
 * stopped when the last of them has given up; who comes later needs an attempt of their own.
 */
export class SharedAttempt<T> {
  readonly #stop = new AbortController();
  readonly #made: Promise<T>;
  #settled = false;
  #callers = 0;

  /** @param make begins at once; it must end soon after its signal fires */
  constructor(make: (stop: AbortSignal) => Promise<T>) {
    this.#made = make(this.#stop.signal);
    const settled = (): void => {
      this.#settled = true;
    };
    this.#made.then(settled, settled);
  }

  /** Whether it runs and one can still join. */
  get open(): boolean {
    return !this.#settled && !this.#stop.signal.aborted;
  }

  /** Settles as the attempt does, or rejects with `describe(why)` when this caller gives up before. */
  async join(limits: WaitOptions, describe: (why: GaveUp) => Error): Promise<T> {
    this.#callers += 1;
    try {
      return await withinLimits(this.#made, limits, describe);
    } finally {
      this.#callers -= 1;
      if (this.#callers === 0) {
        this.#stop.abort();
      }
    }
  }

  /** Stops it and waits for its end. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#made.catch(() => undefined);
  }
}
