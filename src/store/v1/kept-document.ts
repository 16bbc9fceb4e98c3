import { parseExact, stringifyExact } from '../../api/exact-json.ts';
import { containerState } from './container-state-shape.ts';
import type { SavedSandbox } from './documents.ts';
import { sandboxDocument } from './print.ts';
import { sandboxState } from './sandbox-state-shape.ts';
import { fields, map } from './shape.ts';

/** The documents of a sandbox as one JSON text, for `Transaction.putV1State`. */
export function printKeptDocument({ sandbox, containers }: SavedSandbox): string {
  return stringifyExact({ sandbox: sandboxDocument(sandbox), containers });
}

/**
 * Reads what {@link printKeptDocument} made.
 * @throws VmplugError `invalid-state`
 */
export function readKeptDocument(text: string, name: string): SavedSandbox {
  const where = { document: `the kept v1 state of ${name}`, path: '$' };
  const { get } = fields(parseExact(text), where);
  return { sandbox: get('sandbox', sandboxState), containers: get('containers', map(containerState)) ?? {} };
}
