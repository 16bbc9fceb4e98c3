import { isBusy } from './sqlite-errors.ts';

/** Milliseconds between two tries. */
const pauseMs = 5;

/**
 * Runs `work`, again and again while another process's lock is in its way, for `limitMs` milliseconds.
 * SQLite's own busy timeout does not cover everything: changing to WAL fails at once when another
 * process has the file open at that moment (https://sqlite.org/c3ref/busy_handler.html).
 * @throws what `work` throws; SQLITE_BUSY once the time is over
 */
export function whenNotBusy<T>(limitMs: number, work: () => T): T {
  const deadline = performance.now() + limitMs;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
    }
  }
}
