import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { UnplugPolicy, UnplugReply, VmStatus } from '../api/hypervisor.ts';
import { hear, newUnplug, next, type UnplugInput, type UnplugState } from './unplug-machine.ts';

const often: UnplugPolicy = { waitForGuest: false, repeatAfterMs: 1000 };
const look = (now: number, rest: Partial<Extract<UnplugInput, { heard: 'look' }>> = {}): UnplugInput => ({
  heard: 'look',
  present: true,
  live: true,
  status: 'running',
  now,
  ...rest,
});
const reply = (now: number, what: UnplugReply = 'requested'): UnplugInput => ({
  heard: 'reply',
  reply: what,
  now,
});
const removed: UnplugInput = { heard: 'event', event: 'removed' };

function after(...inputs: UnplugInput[]): UnplugState {
  return inputs.reduce(hear, newUnplug(0, 'running'));
}

test('asked at once, then waited for with a look now and then, asked again later and later', () => {
  expect(next(after(), often, 0, 9000)).toEqual({ do: 'send' });
  expect(next(after(reply(5)), often, 5, 9000)).toEqual({ do: 'wait', until: 505 });
  expect(next(after(reply(5)), often, 505, 9000)).toEqual({ do: 'look' });
  expect(next(after(reply(5), look(505)), often, 505, 9000)).toEqual({ do: 'wait', until: 1005 });
  expect(next(after(reply(5), look(505)), often, 1005, 9000)).toEqual({ do: 'send' });
  expect(next(after(reply(5), reply(1005), look(2900)), often, 3000, 9000)).toEqual({
    do: 'wait',
    until: 3005,
  });
});

test('pain 16: a busy guest is asked again soon, one that must not be is not', () => {
  const never: UnplugPolicy = { waitForGuest: false };
  expect(next(after(reply(0, 'busy')), never, 500, 9000)).toEqual({ do: 'send' });
  expect(next(after(reply(0), look(8000)), never, 8100, 9000)).toEqual({ do: 'wait', until: 8500 });
});

test('pain 19: nothing is sent before the guest runs, where that would be lost', () => {
  const careful: UnplugPolicy = { waitForGuest: true };
  expect(next(after(), careful, 0, 9000)).toEqual({ do: 'look' });
  expect(next(after(look(0, { live: false })), careful, 10, 9000)).toEqual({ do: 'wait', until: 100 });
  expect(next(after(look(0, { live: false })), careful, 100, 9000)).toEqual({ do: 'look' });
  expect(next(after(look(100)), careful, 100, 9000)).toEqual({ do: 'send' });
});

test('the ends: released, refused, expired, paused', () => {
  expect(next(after(reply(1), removed), often, 2, 9000)).toEqual({ do: 'end', outcome: 'released' });
  expect(next(after(reply(1, 'gone')), often, 2, 9000)).toEqual({ do: 'end', outcome: 'released' });
  expect(next(after(reply(1), look(2, { present: false })), often, 2, 9000)).toEqual({
    do: 'end',
    outcome: 'released',
  });
  expect(next(after(reply(1), { heard: 'event', event: 'removal-refused' }), often, 2, 9000)).toEqual({
    do: 'end',
    outcome: 'refused',
  });
  expect(next(after(reply(1)), often, 9000, 9000)).toEqual({ do: 'end', outcome: 'expired' });
  expect(next(after(reply(1), look(2, { status: 'paused' })), often, 9000, 9000)).toEqual({
    do: 'end',
    outcome: 'paused',
  });
});

test('an event that comes before the reply to its own request counts', () => {
  expect(next(after(removed, reply(3)), often, 3, 9000)).toEqual({ do: 'end', outcome: 'released' });
});

describe('whatever is heard', () => {
  const policies = fc.record(
    { waitForGuest: fc.boolean(), repeatAfterMs: fc.integer({ min: 1, max: 5000 }) },
    { requiredKeys: ['waitForGuest'] },
  );
  const statuses = fc.constantFrom<VmStatus>('running', 'paused', 'not-started');
  const replies = fc.constantFrom<UnplugReply>('requested', 'pending', 'busy');
  const step = fc.record({
    pause: fc.integer({ min: 0, max: 3000 }),
    reply: replies,
    live: fc.boolean(),
    status: statuses,
  });
  const deadlines = fc.integer({ min: 0, max: 20_000 });

  /** Runs the machine against answers as they come; the driver does just what it is told. */
  function run(
    policy: UnplugPolicy,
    deadlineAt: number,
    answers: { pause: number; reply: UnplugReply; live: boolean; status: VmStatus }[],
  ): {
    state: UnplugState;
    sent: { at: number; before: UnplugState }[];
    ended: { at: number; outcome: string } | undefined;
  } {
    let state = newUnplug(0, 'running');
    let now = 0;
    const sent: { at: number; before: UnplugState }[] = [];
    for (const answer of answers) {
      const action = next(state, policy, now, deadlineAt);
      if (action.do === 'end') return { state, sent, ended: { at: now, outcome: action.outcome } };
      if (action.do === 'wait') {
        expect(action.until).toBeGreaterThan(now);
        expect(action.until).toBeLessThanOrEqual(deadlineAt);
        now = action.until + answer.pause / 100;
        continue;
      }
      const at = now;
      now += answer.pause;
      if (action.do === 'send') {
        sent.push({ at, before: state });
        state = hear(state, reply(now, answer.reply));
      } else state = hear(state, look(now, { live: answer.live, status: answer.status }));
    }
    return { state, sent, ended: undefined };
  }

  test('a guest that never answers: sent as often as the policy allows, ended at the deadline and not before', () => {
    fc.assert(
      fc.property(policies, deadlines, fc.array(step, { maxLength: 60 }), (policy, deadlineAt, answers) => {
        const { sent, ended } = run(policy, deadlineAt, answers);
        for (const [index, { at, before }] of sent.entries()) {
          expect(at).toBeLessThan(Math.max(deadlineAt, 1));
          if (index === 0) {
            if (policy.waitForGuest) expect(before.guestLive).toBe(true);
            continue;
          }
          const leastGap = before.busy ? 500 : (policy.repeatAfterMs ?? Number.POSITIVE_INFINITY);
          expect(at - before.sentAt).toBeGreaterThanOrEqual(leastGap);
        }
        if (ended === undefined) return;
        expect(ended.at).toBeGreaterThanOrEqual(deadlineAt);
        expect(['expired', 'paused']).toContain(ended.outcome);
      }),
    );
  });

  const inputs = fc.oneof(
    replies.map((what): UnplugInput => reply(0, what)),
    fc.record({ live: fc.boolean(), status: statuses }).map((rest): UnplugInput => look(0, rest)),
    fc.constant<UnplugInput>({ heard: 'event', event: 'removal-refused' }),
  );
  const settling = fc.constantFrom<UnplugInput>(removed, look(0, { present: false }), reply(0, 'gone'));

  test('confirmed removal always ends released, before or after a refusal or the deadline, for good', () => {
    fc.assert(
      fc.property(
        policies,
        fc.array(inputs),
        settling,
        fc.array(fc.oneof(inputs, settling)),
        fc.integer({ min: 0, max: 30_000 }),
        deadlines,
        (policy, before, confirmed, later, now, deadlineAt) => {
          const state = after(...before, confirmed, ...later);
          expect(next(state, policy, now, deadlineAt)).toEqual({ do: 'end', outcome: 'released' });
        },
      ),
    );
  });

  test('released is never said of a device that nobody saw leave', () => {
    fc.assert(
      fc.property(policies, fc.array(inputs), fc.nat(30_000), deadlines, (policy, heard, now, deadlineAt) => {
        expect(next(after(...heard), policy, now, deadlineAt)).not.toMatchObject({ outcome: 'released' });
      }),
    );
  });
});
