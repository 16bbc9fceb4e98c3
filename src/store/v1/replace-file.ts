import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** A file's content that is on disk beside it, and takes its place at once when it is committed. */
export interface PreparedFile extends AsyncDisposable {
  commit(): Promise<void>;
}

/**
 * Writes the content of a file beside it and brings it to disk. Nothing is changed before `commit`, and a
 * crash leaves the old content or the whole new one (W90). Disposing removes what was not committed.
 */
export async function prepareFile(path: string, content: Uint8Array): Promise<PreparedFile> {
  const beside = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const discard = async (): Promise<void> => rm(beside, { force: true });
  try {
    await using file = await open(beside, 'wx', 0o600);
    await file.writeFile(content);
    await file.sync();
  } catch (error) {
    await discard();
    throw error;
  }
  return {
    commit: async () => {
      await rename(beside, path);
      await syncDirectory(dirname(path));
    },
    [Symbol.asyncDispose]: discard,
  };
}

/** Brings what a directory contains to disk: a renamed file is durable only with it. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}

/** Whether there is a file with exactly this content. Looked at first: reading a FIFO would wait for ever. */
export async function hasContent(path: string, content: Uint8Array): Promise<boolean> {
  try {
    return (await stat(path)).isFile() && (await readFile(path)).equals(content);
  } catch {
    return false;
  }
}
