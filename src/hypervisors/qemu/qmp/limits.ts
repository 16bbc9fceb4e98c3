/** How long a caller waits. */
export interface WaitOptions {
  /** Gives up when aborted. An `AbortSignal.timeout()` counts as a deadline. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds from now; `Infinity` for no deadline. 0 or less, or NaN, has passed already. */
  readonly timeoutMs?: number | undefined;
}

/** Why a wait was given up. */
export interface GaveUp {
  readonly code: 'aborted' | 'deadline-passed';
  readonly reason: string;
  readonly cause?: unknown;
}

/** The longest delay that a timer of Node takes: 24.8 days. */
const longestTimer = 2_147_483_647;

/** Whether the wait is over before it began. */
export function gaveUpAlready({ signal, timeoutMs = Infinity }: WaitOptions): GaveUp | undefined {
  if (signal?.aborted === true) {
    return gaveUpBy(signal);
  }
  return timeoutMs > 0 ? undefined : passed(timeoutMs);
}

/**
 * Calls `onGiveUp` once, when the deadline passes or the signal fires, unless the returned
 * function is called before. That function releases the timer and the listener.
 *
 * A timer that is due gives the event loop one more turn of reading: an answer that arrived while
 * this process was busy is not mistaken for silence.
 */
export function watchLimits(
  { signal, timeoutMs = Infinity }: WaitOptions,
  onGiveUp: (why: GaveUp) => void,
): () => void {
  let lastRead: NodeJS.Immediate | undefined;
  const giveUp = (why: GaveUp): void => {
    release();
    onGiveUp(why);
  };
  const onAbort = (): void => {
    if (signal !== undefined) {
      giveUp(gaveUpBy(signal));
    }
  };
  const timer =
    timeoutMs === Infinity
      ? undefined
      : setTimeout(
          () => {
            lastRead = setImmediate(giveUp, passed(timeoutMs));
          },
          Math.min(timeoutMs, longestTimer),
        );
  signal?.addEventListener('abort', onAbort, { once: true });
  const release = (): void => {
    clearTimeout(timer);
    clearImmediate(lastRead);
    signal?.removeEventListener('abort', onAbort);
  };
  return release;
}

/** Settles as `promise` does, or rejects with `describe(why)` when the wait is given up before. */
export async function withinLimits<T>(
  promise: Promise<T>,
  options: WaitOptions,
  describe: (why: GaveUp) => Error,
): Promise<T> {
  const early = gaveUpAlready(options);
  if (early !== undefined) {
    throw describe(early);
  }
  const { promise: over, reject } = Promise.withResolvers<never>();
  const release = watchLimits(options, (why) => reject(describe(why)));
  try {
    return await Promise.race([promise, over]);
  } finally {
    release();
  }
}

/** Why a signal that has fired ends a wait: the reason itself if it says so. */
export function gaveUpBy(signal: AbortSignal): GaveUp {
  const cause: unknown = signal.reason;
  if (isGaveUp(cause)) {
    return cause;
  }
  return cause instanceof Error && cause.name === 'TimeoutError'
    ? { code: 'deadline-passed', reason: 'no answer before the deadline', cause }
    : { code: 'aborted', reason: 'the caller gave up', cause };
}

function isGaveUp(value: unknown): value is GaveUp {
  return (
    typeof value === 'object' &&
    value !== null &&
    'code' in value &&
    (value.code === 'aborted' || value.code === 'deadline-passed') &&
    'reason' in value &&
    typeof value.reason === 'string'
  );
}

function passed(timeoutMs: number): GaveUp {
  return {
    code: 'deadline-passed',
    reason:
      timeoutMs > 0 ? `no answer within ${Math.round(timeoutMs)} ms` : 'the deadline had passed already',
  };
}
