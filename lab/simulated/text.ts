import { stringifyExact } from '../../src/api/exact-json.ts';
import type { JsonValue } from '../../src/api/json.ts';

/** A text as it is; anything else as JSON. */
export function text(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : stringifyExact(value ?? null);
}
