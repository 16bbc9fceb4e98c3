import { parseExact } from '../../../api/exact-json.ts';
import type { JsonObject, JsonValue } from '../../../api/json.ts';
import type { Command } from '../../../api/plan.ts';
import { Refusal } from '../simulated-errors.ts';

/** What a client said: a command, or why it is none, with the id that it is answered under. */
export interface Request {
  readonly id?: JsonValue;
  readonly command: Command | Refusal;
}

const members = new Set(['execute', 'exec-oob', 'arguments', 'id']);

/** Reads one document (`qmp_dispatch_check_obj`). */
export function parseRequest(text: string): Request {
  let value: JsonValue;
  try {
    value = parseExact(text);
  } catch {
    return { command: new Refusal('JSON parse error, invalid syntax') };
  }
  if (!isObject(value)) return { command: new Refusal('QMP input must be a JSON object') };
  const { id } = value;
  const command = commandOf(value);
  return id === undefined ? { command } : { id, command };
}

function commandOf(request: JsonObject): Command | Refusal {
  const { arguments: args = {}, execute = request['exec-oob'] } = request;
  const foreign = Object.keys(request).find((name) => !members.has(name));
  if (foreign !== undefined) return new Refusal(`QMP input member '${foreign}' is unexpected`);
  if (execute === undefined) return new Refusal("QMP input lacks member 'execute'");
  if (typeof execute !== 'string') return new Refusal("QMP input member 'execute' must be a string");
  if (!isObject(args)) return new Refusal("QMP input member 'arguments' must be an object");
  return { execute, arguments: args };
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
