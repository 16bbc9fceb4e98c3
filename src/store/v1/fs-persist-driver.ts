import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VmplugError } from '../../api/errors.ts';
import { makeDirectories } from '../make-directories.ts';
import type { SavedSandbox } from './documents.ts';
import {
  checkRealPath,
  directoryMode,
  idDirectory,
  makePathBelow,
  pathBelow,
  persistFile,
} from './layout.ts';
import { lockDirectory, type LockOptions, type Unlock } from './lock-directory.ts';
import type { PersistDriver } from './persist-driver.ts';
import { printContainerState, printSandboxState } from './print.ts';
import { readSavedSandbox } from './saved-directory.ts';
import { isMissing, storageError } from './storage-error.ts';
import { prepareFile } from './replace-file.ts';
import { writeSavedSandbox } from './write-directory.ts';

/**
 * Documents below a root, laid out as v1 does: `sbs/<sandbox>/persist.json`, and
 * `sbs/<sandbox>/<container>/persist.json`. It remembers nothing between two calls.
 */
export class FsPersistDriver implements PersistDriver {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  runStoragePath(): string {
    return join(this.root, 'sbs');
  }

  runVMStoragePath(): string {
    return join(this.root, 'vm');
  }

  async toDisk({ sandbox, containers }: SavedSandbox): Promise<void> {
    const directory = this.#directory(sandbox.SandboxContainer);
    const documents = Object.entries(containers).map(([id, state]) => ({
      directory: idDirectory(directory, id),
      content: Buffer.from(printContainerState(state)),
    }));
    const main = { directory, content: Buffer.from(printSandboxState(sandbox)) };
    try {
      makeDirectories(directory, directoryMode);
      await writeSavedSandbox(main, documents);
    } catch (error) {
      throw storageError(error, 'keep the state of', directory);
    }
  }

  async fromDisk(sid: string): Promise<SavedSandbox> {
    const directory = this.#directory(sid);
    try {
      return await readSavedSandbox(directory);
    } catch (error) {
      if (isMissing(error)) throw notKept(sid, directory);
      throw storageError(error, 'read the state of', directory);
    }
  }

  async destroy(sid: string): Promise<void> {
    const directory = this.#directory(sid);
    try {
      await rm(directory, { recursive: true, force: true });
    } catch (error) {
      throw storageError(error, 'remove the state of', directory);
    }
  }

  async lock(sid: string, exclusive: boolean, options: LockOptions = {}): Promise<Unlock> {
    const directory = this.#directory(sid);
    try {
      return await lockDirectory(directory, exclusive, options);
    } catch (error) {
      const isGone = error instanceof VmplugError && error.code === 'source-not-found';
      throw isGone ? notKept(sid, directory) : error;
    }
  }

  /** Makes the directory of a sandbox that isn't kept yet, so that it can be locked before it is written (W104). */
  async prepare(sid: string): Promise<void> {
    const directory = this.#directory(sid);
    try {
      makeDirectories(directory, directoryMode);
    } catch (error) {
      throw storageError(error, 'keep the state of', directory);
    }
  }

  async globalWrite(relativePath: string, data: Uint8Array): Promise<void> {
    try {
      const path = await makePathBelow(this.root, relativePath);
      await using file = await prepareFile(path, data);
      await file.commit();
    } catch (error) {
      throw storageError(error, 'write', relativePath);
    }
  }

  async globalRead(relativePath: string): Promise<Uint8Array> {
    const path = pathBelow(this.root, relativePath);
    try {
      await checkRealPath(this.root, path, relativePath);
      return await readFile(path);
    } catch (error) {
      throw storageError(error, 'read', relativePath);
    }
  }

  #directory(sid: string): string {
    return idDirectory(this.runStoragePath(), sid);
  }
}

/** The error by which "nothing was kept yet" is told from damage (W96). */
function notKept(sid: string, directory: string): VmplugError {
  return new VmplugError('sandbox-not-found', {
    action: 'read the state of',
    subject: sid,
    reason: `nothing is kept of it in ${join(directory, persistFile)}`,
  });
}
