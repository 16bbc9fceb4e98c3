/**
 * How long a wait on a guest may keep the VMM's connection to itself, in milliseconds. A guest
 * that has not answered by then may never do, and others have devices to plug meanwhile.
 */
export const politeAfterMs = 1000;
/** How long others then have their turn, in milliseconds. */
export const politePauseMs = 250;

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
        const done = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, Math.max(0, milliseconds));
        this.#wake = done;
        signal?.addEventListener('abort', done, { once: true });
      });
      this.#wake = undefined;
    }
    this.#awake = false;
  }
}
