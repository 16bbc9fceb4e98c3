import { VmplugError } from '../api/errors.ts';
import { reaches, type Evidence } from '../api/evidence.ts';
import type { Hypervisor, Observation } from '../api/hypervisor.ts';
import type { Place } from '../api/place.ts';
import type { Deadline } from './deadline.ts';
import { politeAfterMs, politePauseMs, Sleeper } from './wait.ts';

/** How often the VMM is asked, in milliseconds: often at first, when an answer is near. */
const firstPauseMs = 2;
const longestPauseMs = 50;

export interface Confirmation extends Observation {
  /** Whether what was wanted was seen before the deadline. */
  readonly reached: boolean;
  /** Milliseconds after the start of the wait at which it was seen. */
  readonly afterMs: number;
}

/**
 * Waits until the VMM shows the evidence that is wanted, or the deadline passes. Returns what
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
    let seen: Evidence | undefined = 'acknowledged';
    for (let pauseMs = firstPauseMs; !reaches(seen, want); pauseMs = Math.min(pauseMs * 1.25, longestPauseMs)) {
      const observation = await hypervisor.observe(vmmId, place, {
        ...deadline.exchange(1000),
        evidenceOnly: want === 'live',
      });
      if (removed || !observation.present) throw guestRemoved(vmmId);
      seen = observation.evidence;
      if (reaches(seen, want) || deadline.passed() || deadline.signal?.aborted === true) break;
      const isLong = performance.now() - started > politeAfterMs;
      if (isLong) await hypervisor.giveWay();
      await sleeper.sleep(Math.min(isLong ? politePauseMs : pauseMs, deadline.remaining()), deadline.signal);
    }
    const afterMs = performance.now() - started;
    const observation = await hypervisor.observe(vmmId, place, { timeoutMs: deadline.exchange(1000).timeoutMs });
    if (removed || !observation.present) throw guestRemoved(vmmId);
    return { ...observation, reached: reaches(observation.evidence, want), afterMs };
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
