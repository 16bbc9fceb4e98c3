import { VmplugError } from '../../api/errors.ts';
import type { SandboxRecord } from '../../api/sandbox.ts';
import { lifeOf } from '../../sandbox/life.ts';
import { SqliteStore } from '../../store/sqlite-store.ts';
import type { Transaction } from '../../store/store.ts';
import type { SavedSandbox } from '../../store/v1/documents.ts';
import { FsPersistDriver } from '../../store/v1/fs-persist-driver.ts';
import { readKeptDocument } from '../../store/v1/kept-document.ts';
import type { LockOptions } from '../../store/v1/lock-directory.ts';
import { emptyPath } from './source.ts';
import { noSandbox } from '../listing.ts';
import { emptyV1State } from './empty-state.ts';
import { withPresentDevices } from './present.ts';

/** What v1 would have saved of a sandbox. */
export interface V1Exported extends SavedSandbox {
  /** The sandbox's name here; v1's id is in its document. */
  readonly name: string;
}

/**
 * The v1 state of one sandbox as it is at present; of the only one where none is named.
 * @throws VmplugError `sandbox-not-found`; `invalid-argument` when none is named and there are several
 */
export function exportV1State(stateDir: string, name?: string): V1Exported {
  const all = exportV1States(stateDir, name);
  const [first, ...others] = all;
  if (first === undefined) throw nothingToExport();
  if (others.length === 0) return first;
  throw new VmplugError('invalid-argument', {
    action: 'export the state of',
    subject: 'the sandbox',
    reason: `there are ${all.length}: ${all.map((exported) => exported.name).join(', ')}`,
    hint: 'name one of them, or write all with --dir DIRECTORY',
    facts: { sandboxes: all.length },
  });
}

/**
 * The v1 states of the named sandbox, or of all.
 * @throws VmplugError `sandbox-not-found`, `state-unavailable`, `state-too-new`
 */
function exportV1States(stateDir: string, name?: string): V1Exported[] {
  using store = SqliteStore.openExisting(stateDir);
  const exported =
    store?.read((tx) =>
      tx
        .sandboxes()
        .filter((sandbox) => name === undefined || sandbox.name === name)
        .map((sandbox) => exportOne(tx, sandbox)),
    ) ?? [];
  if (name !== undefined && exported.length === 0) throw noSandbox(name);
  return exported;
}

function exportOne(tx: Transaction, record: SandboxRecord): V1Exported {
  const { name } = record;
  const kept = tx.v1State(name);
  const saved =
    kept === undefined
      ? { sandbox: emptyV1State(record, lifeOf(record)), containers: {} }
      : readKeptDocument(kept, name);
  const present = { managed: tx.managedDevices(name), attachments: tx.attachments(name) };
  return { name, sandbox: withPresentDevices(saved.sandbox, present), containers: saved.containers };
}

/**
 * Writes the v1 states of the named sandbox, or of all, below `root` in v1's layout, each under v1's exclusive
 * lock, and returns them. Each is written whole or not at all; of several, those before one that fails are there.
 * @throws VmplugError as {@link exportV1State} and `FsPersistDriver`
 */
export async function writeV1States(
  stateDir: string,
  root: string,
  options: LockOptions & { readonly name?: string },
): Promise<V1Exported[]> {
  if (root === '') throw emptyPath('export the state to');
  const all = exportV1States(stateDir, options.name);
  if (all.length === 0) throw nothingToExport();
  const driver = new FsPersistDriver(root);
  for (const saved of all) {
    const sid = saved.sandbox.SandboxContainer;
    await driver.prepare(sid);
    const unlock = await driver.lock(sid, true, options);
    try {
      await driver.toDisk(saved);
    } finally {
      unlock();
    }
  }
  return all;
}

function nothingToExport(): VmplugError {
  return new VmplugError('sandbox-not-found', {
    action: 'export the state of',
    subject: 'the sandbox',
    reason: 'there is none',
    hint: 'vmplug sandbox run or adopt, or vmplug state import, adds one',
  });
}
