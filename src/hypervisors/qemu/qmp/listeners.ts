import { deviceLogger } from '../../../api/logger.ts';

/**
 * A set of listeners. One that throws or rejects is logged and stops nobody; the same function may
 * be added twice. During a call, one that is removed is not called any more, one that is added not yet.
 */
export class Listeners<T> {
  readonly #entries = new Set<{ readonly call: (value: T) => unknown }>();

  get size(): number {
    return this.#entries.size;
  }

  /** Adds a listener; the returned function removes it. */
  add(listener: (value: T) => void): () => void {
    const entry = { call: listener };
    this.#entries.add(entry);
    return () => void this.#entries.delete(entry);
  }

  /** Calls all listeners in the order in which they were added. */
  emit(value: T): void {
    if (this.#entries.size === 0) {
      return;
    }
    for (const entry of new Set(this.#entries)) {
      if (this.#entries.has(entry)) {
        run(entry.call, value);
      }
    }
  }

  clear(): void {
    this.#entries.clear();
  }
}

function run<T>(call: (value: T) => unknown, value: T): void {
  const failed = (error: unknown): void => deviceLogger().error('qmp: a listener failed', { error });
  try {
    const result = call(value);
    if (result instanceof Promise) {
      result.catch(failed);
    }
  } catch (error) {
    failed(error);
  }
}
