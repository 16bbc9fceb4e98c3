import { VmplugError } from '../../api/errors.ts';
import type { JsonObject } from '../../api/json.ts';
import { containerState } from './container-state-shape.ts';
import { currentPersistVersion, type ContainerState, type SandboxState } from './documents.ts';
import { readGoJson } from './go-json.ts';
import { sandboxState } from './sandbox-state-shape.ts';
import { fields, invalid, isObject, u64, type Where } from './shape.ts';

/**
 * Reads a sandbox's `persist.json`: anything that v1 could have written, as exactly as it stands there. Keys
 * that v1 does not know are dropped where v1 would drop them.
 * @param document what to call the document in an error: its path
 * @throws VmplugError `invalid-state`, `state-kind-mismatch`, with the JSON path of what is wrong in
 * `facts.path`; `state-too-new`
 */
export function readSandboxState(bytes: Uint8Array, document: string): SandboxState {
  const where: Where = { document, path: '$' };
  const value = readObject(bytes, where);
  refuseNewer(versionOf(value, where), where);
  return sandboxState(value, where);
}

/**
 * Reads a container's `persist.json`.
 * @throws VmplugError `invalid-state` with the JSON path of what is wrong in `facts.path`
 */
export function readContainerState(bytes: Uint8Array, document: string): ContainerState {
  const where: Where = { document, path: '$' };
  return containerState(readObject(bytes, where), where);
}

function readObject(bytes: Uint8Array, where: Where): JsonObject {
  const value = readGoJson(bytes, where.document);
  if (!isObject(value)) throw invalid(where, 'an object is needed');
  return value;
}

/** Looked at first: of a newer document nothing else can be said. */
function versionOf(value: JsonObject, where: Where): number | bigint {
  return fields(value, where).get('PersistVersion', u64);
}

/** v1 keeps an older version as it is and checks none (W98). */
function refuseNewer(version: number | bigint, where: Where): void {
  if (version <= currentPersistVersion) return;
  throw new VmplugError('state-too-new', {
    action: 'read the saved state',
    subject: where.document,
    reason: `$.PersistVersion: it has version ${version}; versions up to ${currentPersistVersion} are known`,
    hint: 'export it with the runtime that wrote it, in the format of Kata Containers 1.x; nothing was changed',
    facts: { path: '$.PersistVersion', document: where.document, known: currentPersistVersion },
  });
}
