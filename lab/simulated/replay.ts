import { isDeepStrictEqual } from 'node:util';
import { stringifyExact, parseExact } from '../../src/api/exact-json.ts';
import type { JsonObject, JsonValue } from '../../src/api/json.ts';
import { VirtualClock } from '../../src/hypervisors/simulated/qemu/clock.ts';
import { MessagePoints } from '../../src/hypervisors/simulated/qemu/message-points.ts';
import { QmpSession } from '../../src/hypervisors/simulated/qemu/qmp-session.ts';
import {
  SimulatedQemu,
  type SimulatedQemuOptions,
} from '../../src/hypervisors/simulated/qemu/simulated-qemu.ts';
import { asObject, kept, type Said } from './transcript.ts';
import { text } from './text.ts';

/** Longer than any guest takes for anything. */
const longMs = 10_000;
/** What a guest takes in this time it has taken, and nothing is let go yet. */
const takesMs = 1;

/**
 * Says to a simulated QEMU what the clients of a real one said, and returns the conversation that
 * comes of it, for comparing. When the guest does something is taken from the recording: it has
 * taken a device when the real answer shows that, and let go of it when the real event is there.
 */
export function replay(recorded: readonly Said[], options: Omit<SimulatedQemuOptions, 'clock'>): Said[] {
  const clock = new VirtualClock();
  const vm = new SimulatedQemu({
    ...options,
    clock,
    guest: { ...options.guest, takesMs, answersMs: longMs / 2 },
  });
  const heard: Said[] = [];
  const sessions = new Map<number, QmpSession>();
  const commands = new Map<string, JsonObject>();
  const waiting: JsonObject[] = [];

  const open = (client: number): QmpSession => {
    for (const session of sessions.values()) session.end();
    const session = new QmpSession(vm, new MessagePoints(), {
      write: (text) => {
        const message = asObject(parseExact(text));
        waiting.push(kept(message, commands.get(key(client, message['id']))));
      },
      drop: () => undefined,
    });
    sessions.set(client, session);
    return session;
  };

  for (const [index, { client, from, message }] of recorded.entries()) {
    const session = sessions.get(client) ?? open(client);
    if (from === 'client') {
      commands.set(key(client, message['id']), message);
      if (showsMore(replyTo(recorded, index), vm)) clock.advance(takesMs);
      heard.push({ client, from, message });
      session.push(Buffer.from(`${stringifyExact(message)}\n`));
      continue;
    }
    if (waiting.length === 0 && message['event'] !== undefined) clock.advance(longMs);
    heard.push({ client, from, message: waiting.shift() ?? { nothing: 'was said' } });
  }
  const last = recorded.at(-1)?.client ?? 0;
  return [...heard, ...waiting.map((message) => ({ client: last, from: 'server' as const, message }))];
}

function key(client: number, id: JsonValue | undefined): string {
  return `${client} ${text(id)}`;
}

function replyTo(recorded: readonly Said[], index: number): JsonValue | undefined {
  const command = recorded[index];
  return recorded
    .slice(index + 1)
    .find(
      ({ client, from, message }) =>
        from === 'server' &&
        client === command?.client &&
        message['id'] !== undefined &&
        message['id'] === command.message['id'],
    )?.message['return'];
}

/** Whether a real answer shows that the guest has gone on with a device. */
function showsMore(reply: JsonValue | undefined, vm: SimulatedQemu): boolean {
  if (reply === undefined || vm.machine.devices.every(({ evidence }) => evidence === 'live')) return false;
  return /"(isLive|isRead|assigned)":true/.test(stringifyExact(withoutOld(reply, vm)));
}

/** Of the functions of PCI only those that were plugged can tell of something. */
function withoutOld(reply: JsonValue, vm: SimulatedQemu): JsonValue {
  if (Array.isArray(reply)) return reply.map((each) => withoutOld(each, vm));
  if (typeof reply !== 'object' || reply === null) return reply;
  const { regions, ...rest } = asObject(reply);
  const isOurs = vm.machine.device(text(rest['qdev_id'])) !== undefined;
  const inner = Object.entries(rest).map(([name, value]) => [name, withoutOld(value ?? null, vm)]);
  return { ...Object.fromEntries(inner), ...(isOurs ? { regions } : {}) };
}

/** Where two conversations differ, for people: what the real one said and what the simulated one. */
export function differences(
  real: readonly Said[],
  simulated: readonly Said[],
): { readonly at: number; readonly real?: JsonObject; readonly simulated?: JsonObject }[] {
  return Array.from({ length: Math.max(real.length, simulated.length) }, (_, at) => at).flatMap((at) => {
    const [one, other] = [real[at], simulated[at]];
    if (isDeepStrictEqual(plain(one), plain(other))) return [];
    return [
      {
        at,
        ...(one === undefined ? {} : { real: one.message }),
        ...(other === undefined ? {} : { simulated: other.message }),
      },
    ];
  });
}

function plain(said: Said | undefined): unknown {
  return said === undefined ? undefined : JSON.parse(stringifyExact(said));
}
