import { parseExact } from '../api/exact-json.ts';

/** A record that is no JSON: only such text is ever written. */
export class UnreadableRecord extends Error {
  constructor(cause: unknown) {
    super('a record in it cannot be read', { cause });
  }
}

/**
 * Reads a record that the store has written itself, in the schema version that it knows.
 * @throws UnreadableRecord
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows the table
export function readRecord<T>(text: string): T {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return parseExact(text) as T;
  } catch (error) {
    throw new UnreadableRecord(error);
  }
}
