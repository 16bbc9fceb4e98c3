import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { VmplugError } from '../../api/errors.ts';
import type { ContainerState, SavedSandbox } from './documents.ts';
import { persistFile } from './layout.ts';
import { readContainerState, readSandboxState } from './read.ts';
import { isMissing } from './storage-error.ts';

/**
 * Reads the documents in the directory of a sandbox, each once (W112) and each file closed before the next is
 * opened (W103).
 * @throws VmplugError as the readers, and `source-unsuitable` for what is no file; the system's error when there is no document of the sandbox
 */
export async function readSavedSandbox(directory: string): Promise<SavedSandbox> {
  const path = join(directory, persistFile);
  return {
    sandbox: readSandboxState(await readDocument(path), path),
    containers: await readContainers(directory),
  };
}

/** The documents in the sub-directories; one without a document is none of a container. */
async function readContainers(directory: string): Promise<Record<string, ContainerState>> {
  const containers: [string, ContainerState][] = [];
  for (const id of await subdirectories(directory)) {
    const path = join(directory, id, persistFile);
    try {
      containers.push([id, readContainerState(await readDocument(path), path)]);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return Object.fromEntries(containers);
}

/** Looked at first, because reading a FIFO would wait for ever. */
async function readDocument(path: string): Promise<Uint8Array> {
  if ((await stat(path)).isFile()) return readFile(path);
  throw new VmplugError('source-unsuitable', {
    action: 'read the saved state',
    subject: path,
    reason: 'it is no file',
    hint: 'restore the file from where it came; nothing was changed',
  });
}

/** Names of the sub-directories, by their bytes. */
export async function subdirectories(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
