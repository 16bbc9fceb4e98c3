import type { JsonObject, JsonValue } from '../../../api/json.ts';
import { parseExact } from '../../../api/exact-json.ts';
import type { QmpError } from './qmp-error.ts';

/** What the server says about itself first. */
export interface QmpGreeting {
  readonly version: {
    readonly major: number;
    readonly minor: number;
    readonly micro: number;
    /** The distribution's own version, often empty. */
    readonly package: string;
  };
  /** Capabilities on offer, such as `oob`. */
  readonly capabilities: readonly string[];
}

/** Something that happened in the VM. `timestamp` is the host's clock; −1 when the VMM could not read it. */
export interface QmpEvent {
  readonly event: string;
  readonly data: JsonObject;
  readonly timestamp: { readonly seconds: number; readonly microseconds: number };
}

/** One line from the server (docs/interop/qmp-spec, section "Protocol Specification"). */
export type QmpMessage =
  | { readonly kind: 'greeting'; readonly greeting: QmpGreeting }
  | { readonly kind: 'return'; readonly id: JsonValue | undefined; readonly value: JsonValue }
  | { readonly kind: 'error'; readonly id: JsonValue | undefined; readonly error: QmpError }
  | { readonly kind: 'event'; readonly event: QmpEvent }
  | { readonly kind: 'garbage'; readonly reason: string };

const kinds = ['QMP', 'return', 'error', 'event'] as const;

/** Says what one line from the server is. Never throws: what cannot be read is `garbage`. */
export function readMessage(line: string): QmpMessage {
  let message: JsonValue;
  try {
    message = parseExact(line);
  } catch (error) {
    return garbage(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  return isObject(message) ? classify(message) : garbage('not a JSON object');
}

function classify(message: JsonObject): QmpMessage {
  const found = kinds.filter((kind) => Object.hasOwn(message, kind));
  const [kind] = found;
  if (kind === undefined || found.length > 1) {
    return garbage(kind === undefined ? 'no message of QMP' : `${found.join(' and ')} in one message`);
  }
  const body = message[kind] ?? null;
  if (kind === 'return') {
    return { kind, id: message['id'], value: body };
  }
  if (kind === 'error') {
    return failure(body, message['id']);
  }
  return kind === 'event' ? event(body, message) : greeting(body);
}

function greeting(body: JsonValue): QmpMessage {
  const version = objectAt(body, 'version');
  const qemu = objectAt(version, 'qemu');
  const { major, minor, micro } = qemu as Record<string, JsonValue | undefined>;
  if (typeof major !== 'number' || typeof minor !== 'number' || typeof micro !== 'number') {
    return garbage('a greeting without a version');
  }
  const packaged = version['package'];
  const offered = isObject(body) ? body['capabilities'] : undefined;
  return {
    kind: 'greeting',
    greeting: {
      version: { major, minor, micro, package: typeof packaged === 'string' ? packaged : '' },
      capabilities: Array.isArray(offered) ? offered.filter((name) => typeof name === 'string') : [],
    },
  };
}

function failure(body: JsonValue, id: JsonValue | undefined): QmpMessage {
  const { class: name, desc } = isObject(body) ? (body as Record<string, JsonValue | undefined>) : {};
  return typeof name === 'string' && typeof desc === 'string'
    ? { kind: 'error', id, error: { class: name, desc } }
    : garbage('an error without class and desc');
}

function event(name: JsonValue, message: JsonObject): QmpMessage {
  if (typeof name !== 'string') {
    return garbage('an event without a name');
  }
  const { seconds, microseconds } = objectAt(message, 'timestamp') as Record<string, JsonValue | undefined>;
  return {
    kind: 'event',
    event: {
      event: name,
      data: objectAt(message, 'data'),
      timestamp: { seconds: Number(seconds ?? -1), microseconds: Number(microseconds ?? -1) },
    },
  };
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectAt(value: JsonValue | undefined, key: string): JsonObject {
  const inner = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return isObject(inner) ? inner : {};
}

function garbage(reason: string): QmpMessage {
  return { kind: 'garbage', reason };
}
