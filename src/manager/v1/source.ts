import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { VmplugError } from '../../api/errors.ts';
import type { SavedSandbox } from '../../store/v1/documents.ts';
import { persistFile } from '../../store/v1/layout.ts';
import { lockDirectory, type LockOptions } from '../../store/v1/lock-directory.ts';
import { readSandboxState } from '../../store/v1/read.ts';
import { readSavedSandbox } from '../../store/v1/saved-directory.ts';
import { storageError } from '../../store/v1/storage-error.ts';

/** What was read of a v1 sandbox. */
export interface V1Source {
  readonly saved: SavedSandbox;
  /** The document of the sandbox. */
  readonly path: string;
  /** v1's root, where the document lies in its layout: `/run/vc`. */
  readonly root?: string;
}

const action = 'import the state';

/** An empty path, which would stand for the current directory. */
export function emptyPath(doing: string): VmplugError {
  return new VmplugError('invalid-argument', {
    action: doing,
    subject: '',
    reason: 'the path is empty',
    hint: 'name a file or directory; . is the current one',
  });
}

/**
 * Reads a sandbox's `persist.json`, or its directory. The containers' documents are read when it has v1's name
 * for it, and v1's shared lock is held meanwhile when it lies where v1 keeps it.
 * @throws VmplugError `invalid-argument` for an empty path, `source-not-found`, `source-unsuitable`, `state-unavailable`, `invalid-state`,
 * `state-kind-mismatch`, `state-too-new`, and as {@link lockDirectory}
 */
export async function readV1Source(file: string, options: LockOptions): Promise<V1Source> {
  if (file === '') throw emptyPath(action);
  const path = await documentPath(file);
  const directory = dirname(path);
  if (basename(path) !== persistFile) return { saved: await readAlone(path), path };
  if (basename(dirname(directory)) !== 'sbs') return { saved: await readTogether(directory), path };
  const unlock = await lockDirectory(directory, false, options);
  try {
    return { saved: await readTogether(directory), path, root: dirname(dirname(directory)) };
  } finally {
    unlock();
  }
}

/** The file that is meant; looked at first, because reading a FIFO would wait for ever. */
async function documentPath(file: string): Promise<string> {
  const path = resolve(file);
  const found = await statOf(path);
  const document = found.isDirectory() ? join(path, persistFile) : path;
  if ((found.isDirectory() ? await statOf(document) : found).isFile()) return document;
  throw new VmplugError('source-unsuitable', {
    action,
    subject: file,
    reason: 'it is neither a file nor a directory with a persist.json',
    hint: `give a sandbox's persist.json, such as /run/vc/sbs/SANDBOX/${persistFile}`,
  });
}

async function statOf(path: string): ReturnType<typeof stat> {
  try {
    return await stat(path);
  } catch (error) {
    throw storageError(error, action, path);
  }
}

async function readAlone(path: string): Promise<SavedSandbox> {
  try {
    return { sandbox: readSandboxState(await readFile(path), path), containers: {} };
  } catch (error) {
    throw storageError(error, action, path);
  }
}

async function readTogether(directory: string): Promise<SavedSandbox> {
  try {
    return await readSavedSandbox(directory);
  } catch (error) {
    throw storageError(error, action, directory);
  }
}
