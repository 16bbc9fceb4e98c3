import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerState, SavedSandbox } from './documents.ts';
import { persistFile } from './layout.ts';
import { readContainerState, readSandboxState } from './read.ts';
import { isMissing } from './storage-error.ts';

/**
 * Reads the documents in the directory of a sandbox, each once (W112) and each file closed before the next is
 * opened (W103).
 * @throws VmplugError as the readers; the system's error when there is no document of the sandbox
 */
export async function readSavedSandbox(directory: string): Promise<SavedSandbox> {
  const path = join(directory, persistFile);
  return {
    sandbox: readSandboxState(await readFile(path), path),
    containers: await readContainers(directory),
  };
}

/** The documents in the sub-directories; one without a document is none of a container. */
async function readContainers(directory: string): Promise<Record<string, ContainerState>> {
  const containers: [string, ContainerState][] = [];
  for (const id of await subdirectories(directory)) {
    const path = join(directory, id, persistFile);
    try {
      containers.push([id, readContainerState(await readFile(path), path)]);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return Object.fromEntries(containers);
}

/** Names of the sub-directories, by their bytes. */
export async function subdirectories(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
