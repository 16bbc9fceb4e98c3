import { parseExact, stringifyExact } from '../../api/exact-json.ts';
import type { JsonValue } from '../../api/json.ts';
import { invalid, member, type Where } from './shape.ts';

const whole = (document: string): Where => ({ document, path: '$' });

/**
 * Reads the first JSON value of a file that Go's encoder wrote in UTF-8: an object, a list or null. What comes after
 * it is ignored, as Go's decoder does. Integers are exact.
 * @throws VmplugError `invalid-state`; it says so when the file ends too early (W90)
 */
export function readGoJson(bytes: Uint8Array, document: string): JsonValue {
  const where = whole(document);
  const first = firstValue(decodeUtf8(bytes, where), where);
  let value: JsonValue;
  try {
    value = parseExact(first);
  } catch (error) {
    throw invalid(where, `it is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  refuseInfinite(value, where);
  return value;
}

/**
 * Writes a document as Go's encoder does: on one line, `<`, `>` and `&` escaped, and a newline at the end.
 * @param indent spaces for each level, for people
 */
export function printGoJson(value: object, indent?: number): string {
  const escaped = stringifyExact(value, indent).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${escaped}\n`;
}

function decodeUtf8(bytes: Uint8Array, where: Where): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalid(where, 'it is not UTF-8');
  }
}

/** The text of the object, list or null at the beginning, up to what closes it. */
function firstValue(text: string, where: Where): string {
  if (/^\s*$/.test(text)) throw invalid(where, 'the file is empty: a write of it was interrupted (W90)');
  if (/^[ \t\r\n]*null(?![\w.])/.test(text)) return 'null';
  if (!/^[ \t\r\n]*[{[]/.test(text))
    throw invalid(where, 'it is not JSON that v1 writes: no object and no list');
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (inString) {
      if (character === '\\') index += 1;
      if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth > deepest) throw invalid(where, `it is nested more than ${deepest} deep`);
    if (depth === 0 && (character === '}' || character === ']')) return text.slice(0, index + 1);
  }
  throw invalid(where, 'the file ends in the middle of the document: a write of it was interrupted (W90)');
}

/** Far beyond anything that v1 writes, and far below what the printer can do. */
const deepest = 500;

/** A number like 1e400 is beyond Go's numbers too; it must not become one that cannot be written. */
function refuseInfinite(value: JsonValue, where: Where): void {
  if (typeof value === 'number' && !Number.isFinite(value)) throw invalid(where, 'the number is too large');
  if (typeof value !== 'object' || value === null) return;
  for (const [key, held] of Object.entries(value)) {
    if (held !== undefined) refuseInfinite(held, member(where, key));
  }
}
