import type { Claims, Transaction } from './store.ts';

type Work<T> = (tx: Transaction & Claims) => T;

/** One piece of work of several that are committed together. */
export interface Part {
  /** Does the work; what it returns tells the caller, once that is on disk. */
  run(tx: Transaction & Claims): () => void;
  failed(error: unknown): void;
}

/**
 * Gathers work that comes at about the same time for one commit. The wait is the rest of the event
 * loop's turn: whoever hears from a VMM in the same turn shares, and one that is alone hardly waits.
 * While the disk syncs the loop stands still, so what comes meanwhile is gathered for the next commit.
 */
export class SharedCommit {
  readonly #commit: (parts: readonly Part[]) => void;
  #parts: Part[] = [];

  /** @param commit settles every part that it is given, and throws nothing */
  constructor(commit: (parts: readonly Part[]) => void) {
    this.#commit = commit;
  }

  /** What `work` returns, once it is committed. */
  add<T>(work: Work<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.#parts.length === 0) setImmediate(() => this.flush());
    this.#parts.push({
      run(tx) {
        const result = work(tx);
        return () => resolve(result);
      },
      failed: reject,
    });
    return promise;
  }

  /** Commits at once what has been gathered. */
  flush(): void {
    const parts = this.#parts;
    this.#parts = [];
    if (parts.length > 0) this.#commit(parts);
  }
}
