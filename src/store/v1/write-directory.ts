import { mkdir, rm, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { directoryMode, persistFile } from './layout.ts';
import { hasContent, prepareFile, syncDirectory, type PreparedFile } from './replace-file.ts';
import { subdirectories } from './saved-directory.ts';
import { errnoOf } from './storage-error.ts';

/** The content of the document in a directory. */
export interface DirectoryDocument {
  readonly directory: string;
  readonly content: Uint8Array;
}

/**
 * Writes the documents of a sandbox whose directory exists. All are on disk before the first takes its place;
 * then come the containers', then the sandbox's own, which refers to them (W106), and at last directories of
 * other containers go. When anything fails before that, nothing has changed (W91, W92). Documents that are
 * there already are left alone (W111).
 */
export async function writeSavedSandbox(
  sandbox: DirectoryDocument,
  containers: readonly DirectoryDocument[],
): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const prepared: PreparedFile[] = [];
  for (const { directory, content } of [...containers, sandbox]) {
    if (directory !== sandbox.directory) await makeDirectory(directory, undo);
    const path = join(directory, persistFile);
    if (!(await hasContent(path, content))) prepared.push(undo.use(await prepareFile(path, content)));
  }
  for (const file of prepared) await file.commit();
  undo.move();
  await removeOthers(sandbox.directory, new Set(containers.map(({ directory }) => basename(directory))));
}

/** Makes a container's directory; when the whole fails, one that was not there goes again. */
async function makeDirectory(directory: string, undo: AsyncDisposableStack): Promise<void> {
  try {
    await mkdir(directory, { mode: directoryMode });
    undo.defer(async () => rmdir(directory).catch(() => undefined));
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

async function removeOthers(directory: string, kept: ReadonlySet<string>): Promise<void> {
  for (const name of await subdirectories(directory)) {
    if (!kept.has(name)) await rm(join(directory, name), { recursive: true, force: true });
  }
  await syncDirectory(directory);
}
