import { parseExact } from '../../src/api/exact-json.ts';
import type { JsonObject, JsonValue } from '../../src/api/json.ts';
import { keptReply } from './kept-reply.ts';
import type { RecordedLine } from './recording-proxy.ts';
import { text } from './text.ts';

/** One message of a conversation; of what the server said only what is compared. */
export interface Said {
  /** Counted from 0 in the order in which they came. */
  readonly client: number;
  readonly from: 'client' | 'server';
  readonly message: JsonObject;
}

/**
 * A conversation as it is kept and compared. Every server message is reduced by
 * {@link keptReply}; `replacements` make paths of one run those of all.
 */
export function transcriptOf(
  lines: readonly RecordedLine[],
  replacements: Readonly<Record<string, string>> = {},
): Said[] {
  const commands = new Map<string, JsonObject>();
  return lines.map(({ client, from, text }) => {
    const said = Object.entries(replacements).reduce((line, [old, name]) => line.replaceAll(old, name), text);
    const message = asObject(parseExact(said));
    if (from === 'client') {
      commands.set(key(client, message['id']), message);
      return { client, from, message };
    }
    return { client, from, message: kept(message, commands.get(key(client, message['id']))) };
  });
}

/** A server message without what is not compared: for a return that depends on the command. */
export function kept(message: JsonObject, command: JsonObject | undefined): JsonObject {
  if (message['event'] !== undefined) {
    const { timestamp: _, ...event } = message;
    return event;
  }
  if (message['return'] === undefined || command === undefined) return message;
  const args = asObject(command['arguments'] ?? {});
  return { ...message, return: keptReply(text(command['execute']), args, message['return']) };
}

function key(client: number, id: JsonValue | undefined): string {
  return `${client} ${text(id)}`;
}

export function asObject(value: JsonValue): JsonObject {
  if (typeof value === 'object' && value !== null && !isArray(value)) return value;
  throw new Error(`this is no object: ${text(value)}`);
}

function isArray(value: object): value is readonly JsonValue[] {
  return Array.isArray(value);
}
