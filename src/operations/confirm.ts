import { hasCode, VmplugError } from '../api/errors.ts';
import { reaches, weaker, type Evidence } from '../api/evidence.ts';
import type { Hypervisor, Observation } from '../api/hypervisor.ts';
import type { Place } from '../api/place.ts';
import type { Deadline } from './deadline.ts';
import { politeAfterMs, politePauseMs, Sleeper } from './wait.ts';

/**
 * The pause between two questions: a part of the time waited so far, so that the answer is late
 * by no more than that part, within limits in milliseconds.
 */
const pausePart = 1 / 16;
const shortestPauseMs = 1;
const longestPauseMs = 50;

/** What is known without asking: the VMM said yes to the plug. */
const acknowledged: Observation = { present: true, best: 'live', evidence: 'acknowledged', guest: {} };

export interface Confirmation extends Observation {
  /** Whether what was wanted, or the best that the device can show, was seen before the deadline. */
  readonly reached: boolean;
  /** Milliseconds after the start of the wait at which it was seen. */
  readonly afterMs: number;
}

/**
 * Waits until the VMM shows the evidence that is wanted, or the best that the device can show
 * where that is weaker, or the deadline passes. Returns what
 * there is then; a deadline is not an error here.
 * @throws VmplugError `guest-removed` when the guest let go of the device meanwhile
 */
export async function confirm(
  hypervisor: Hypervisor,
  vmmId: string,
  place: Place,
  want: Evidence,
  deadline: Deadline,
): Promise<Confirmation> {
  const started = performance.now();
  const sleeper = new Sleeper();
  let removed = false;
  const stopListening = hypervisor.onDeviceEvent(vmmId, (event) => {
    if (event !== 'removed') return;
    removed = true;
    sleeper.wake();
  });
  try {
    let seen = acknowledged;
    const isReached = (): boolean => reaches(seen.evidence, weaker(want, seen.best));
    while (!isReached()) {
      try {
        seen = await hypervisor.observe(vmmId, place, {
          ...deadline.exchange(1000),
          ...(want === 'live' ? { only: 'evidence' } : {}),
        });
      } catch (error) {
        // The caller gave up while the question was out: one more, short, says how things are.
        if (deadline.signal?.aborted === true && hasCode(error, 'aborted')) break;
        throw error;
      }
      if (removed || !seen.present) throw guestRemoved(vmmId);
      if (isReached() || deadline.passed() || deadline.signal?.aborted === true) break;
      const waitedMs = performance.now() - started;
      const isLong = waitedMs > politeAfterMs;
      if (isLong) await hypervisor.giveWay();
      const pauseMs = Math.min(Math.max(waitedMs * pausePart, shortestPauseMs), longestPauseMs);
      await sleeper.sleep(Math.min(isLong ? politePauseMs : pauseMs, deadline.remaining()), deadline.signal);
    }
    const afterMs = performance.now() - started;
    const isLive = reaches(seen.evidence, 'live');
    if (isLive || !isReached()) {
      const last = await hypervisor.observe(vmmId, place, {
        timeoutMs: deadline.signal?.aborted === true ? 1000 : deadline.exchange(1000).timeoutMs,
        ...(isLive ? { only: 'guest' } : {}),
      });
      if (removed || !last.present) throw guestRemoved(vmmId);
      seen = { ...seen, ...last };
    }
    return { ...seen, reached: isReached(), afterMs };
  } finally {
    stopListening();
  }
}

function guestRemoved(vmmId: string): VmplugError {
  return new VmplugError('guest-removed', {
    action: 'wait for the guest to take',
    subject: vmmId,
    reason: 'the guest let go of it by itself',
    hint: 'a guest that is still booting can do that; try again when it is up',
  });
}
