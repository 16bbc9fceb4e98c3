/**
 * Waits until `wake` is called, `milliseconds` have passed or `signal` aborts, whichever is
 * first, and holds nothing afterwards.
 */
export class Sleeper {
  #wake: (() => void) | undefined;
  #awake = false;

  /** Ends the present wait, or the next one at once. */
  wake(): void {
    this.#awake = true;
    this.#wake?.();
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (!this.#awake && signal?.aborted !== true) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        const done = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', done);
          resolve();
        };
        this.#wake = done;
        signal?.addEventListener('abort', done, { once: true });
      });
      this.#wake = undefined;
    }
    this.#awake = false;
  }
}
