import { setTimeout as delay } from 'node:timers/promises';
import { VmplugError } from '../api/errors.ts';
import type { CallOptions } from './call-options.ts';

/** The calls that are under way on one state, so that closing it can give them up and wait for their end. */
export class RunningCalls {
  readonly #subject: string;
  readonly #calls = new Map<AbortController, Promise<unknown>>();
  #isClosed = false;

  /** @param subject what is closed, for errors */
  constructor(subject: string) {
    this.#subject = subject;
  }

  /**
   * Runs `work` with a signal that fires when the call is given up, by its caller or by closing.
   * @throws VmplugError `state-unavailable` after closing, and what `work` throws
   */
  async run<O extends CallOptions, T>(options: O, work: (options: O) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw this.#closed('it is closed');
    const own = new AbortController();
    const signal = options.signal === undefined ? own.signal : AbortSignal.any([own.signal, options.signal]);
    const running = work({ ...options, signal });
    this.#calls.set(
      own,
      running.catch(() => undefined),
    );
    try {
      return await running;
    } finally {
      this.#calls.delete(own);
    }
  }

  /** Lets nothing begin any more and gives up what is under way; returns when it has ended, or `patienceMs` passed. */
  async giveUp(patienceMs: number): Promise<void> {
    this.#isClosed = true;
    for (const own of this.#calls.keys()) own.abort(this.#closed('it was closed meanwhile'));
    if (this.#calls.size === 0) return;
    const timer = new AbortController();
    const late = delay(patienceMs, undefined, { signal: timer.signal }).catch(() => undefined);
    await Promise.race([Promise.all(this.#calls.values()), late]);
    timer.abort();
  }

  #closed(reason: string): VmplugError {
    return new VmplugError('state-unavailable', {
      action: 'use the state',
      subject: this.#subject,
      reason,
      hint: 'open it again',
    });
  }
}
