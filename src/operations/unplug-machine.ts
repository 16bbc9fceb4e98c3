import type { DeviceEvent, UnplugPolicy, UnplugReply, VmStatus } from '../api/hypervisor.ts';

/**
 * The state machine of an unplug, the same on every VMM:
 * `requested → released` or `refused | expired | paused | gone`. Pure: it is told what was
 * heard and says what to do next. Times are milliseconds on one clock.
 */
export type UnplugOutcome = 'released' | 'refused' | 'expired' | 'paused';

export interface UnplugState {
  readonly requests: number;
  /** When the last request was answered. */
  readonly sentAt: number;
  /** The VMM said that the guest was busy: ask again soon. */
  readonly busy: boolean;
  readonly lookedAt: number;
  readonly guestLive: boolean;
  readonly status: VmStatus;
  readonly outcome?: UnplugOutcome;
}

export type UnplugInput =
  | { readonly heard: 'reply'; readonly reply: UnplugReply; readonly now: number }
  | { readonly heard: 'event'; readonly event: DeviceEvent }
  | {
      readonly heard: 'look';
      readonly present: boolean;
      readonly live: boolean;
      readonly status: VmStatus;
      readonly now: number;
    };

export type UnplugAction =
  | { readonly do: 'send' }
  | { readonly do: 'look' }
  | { readonly do: 'wait'; readonly until: number }
  | { readonly do: 'end'; readonly outcome: UnplugOutcome };

/** Events can be missed while a connection is down, so the VMM is also asked this often. */
const lookEveryMs = 500;
const lookForGuestEveryMs = 100;
const busyPauseMs = 500;

export function newUnplug(now: number, status: VmStatus): UnplugState {
  return {
    requests: 0,
    sentAt: now,
    busy: false,
    lookedAt: Number.NEGATIVE_INFINITY,
    guestLive: false,
    status,
  };
}

/** What the state is after something was heard. A late event settles what had been given up. */
export function hear(state: UnplugState, input: UnplugInput): UnplugState {
  if (state.outcome === 'released') return state;
  switch (input.heard) {
    case 'reply':
      if (input.reply === 'gone') return { ...state, outcome: 'released' };
      return {
        ...state,
        requests: state.requests + 1,
        sentAt: input.now,
        lookedAt: input.now,
        busy: input.reply === 'busy',
      };
    case 'event':
      return { ...state, outcome: input.event === 'removed' ? 'released' : 'refused' };
    case 'look':
      if (!input.present) return { ...state, outcome: 'released' };
      return { ...state, lookedAt: input.now, guestLive: input.live, status: input.status };
  }
}

/** What to do next. */
export function next(
  state: UnplugState,
  policy: UnplugPolicy,
  now: number,
  deadlineAt: number,
): UnplugAction {
  if (state.outcome !== undefined) return { do: 'end', outcome: state.outcome };
  if (now >= deadlineAt) return { do: 'end', outcome: state.status === 'paused' ? 'paused' : 'expired' };
  const asked = state.requests > 0;
  if (!asked && policy.waitForGuest && !state.guestLive) {
    const due = state.lookedAt + lookForGuestEveryMs;
    return due <= now ? { do: 'look' } : { do: 'wait', until: Math.min(due, deadlineAt) };
  }
  const sendAt = nextSend(state, policy);
  if (now >= sendAt) return { do: 'send' };
  const due = Math.min(sendAt, state.lookedAt + lookEveryMs, deadlineAt);
  return due <= now ? { do: 'look' } : { do: 'wait', until: due };
}

function nextSend(state: UnplugState, policy: UnplugPolicy): number {
  if (state.requests === 0) return Number.NEGATIVE_INFINITY;
  if (state.busy) return state.sentAt + busyPauseMs;
  return policy.repeatAfterMs === undefined
    ? Number.POSITIVE_INFINITY
    : state.sentAt + policy.repeatAfterMs * state.requests;
}
