import { VmplugError } from '../../../api/errors.ts';
import type { JsonObject } from '../../../api/json.ts';
import type { SendWithDescriptor } from './channel.ts';
import { stringifyExact } from '../../../api/exact-json.ts';

/** A command of QMP, as in docs/interop/qmp-spec, section "Issuing Commands". */
export interface QmpCommand {
  readonly execute: string;
  readonly arguments?: JsonObject | undefined;
  /** Sends it, and what goes out in the same write, together with a descriptor. */
  readonly send?: SendWithDescriptor | undefined;
}

// QEMU's parser refuses U+0000 and half surrogate pairs, and then answers without an id, which costs
// the connection. JSON.stringify writes both as escapes, in lower case; `\\u` is no escape.
const unspeakable = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/;

/**
 * The line that sends a command.
 * @throws VmplugError `invalid-argument` when an argument cannot be said in QEMU's JSON: NaN, an
 *   infinity, U+0000 or half a surrogate pair in a string
 */
export function encodeCommand(id: number, { execute, arguments: args }: QmpCommand, path: string): string {
  let text: string;
  try {
    text = stringifyExact({ execute, arguments: args, id });
  } catch (error) {
    throw unsayable(execute, path, error instanceof Error ? error.message : String(error), error);
  }
  if (text.includes('\\u') && unspeakable.test(text)) {
    throw unsayable(execute, path, 'a string has U+0000 or half a surrogate pair in it');
  }
  return `${text}\n`;
}

function unsayable(command: string, path: string, reason: string, cause?: unknown): VmplugError {
  return new VmplugError('invalid-argument', {
    action: `run ${command} over`,
    subject: path,
    reason,
    cause,
    facts: { sent: false, command },
  });
}
