import { spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { VmplugError } from '../../api/errors.ts';
import { errnoOf, isMissing, storageError } from './storage-error.ts';

export interface LockOptions {
  /** Milliseconds; the default is 10 s. Never without limit (W84). */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Releases a lock; calling it again is an error. */
export type Unlock = () => void;

const defaultTimeoutMs = 10_000;
const action = 'lock';

/**
 * Takes the lock of a directory, `flock(2)` on the directory itself: what v1's own processes wait for. It is
 * held by a descriptor of this process, so it ends with the process whatever becomes of it.
 * @throws VmplugError `source-not-found` when there is no such directory; `deadline-passed`, `aborted`,
 * `missing-package`, `state-unavailable`
 */
export async function lockDirectory(
  path: string,
  exclusive: boolean,
  options: LockOptions = {},
): Promise<Unlock> {
  const deadline = performance.now() + (options.timeoutMs ?? defaultTimeoutMs);
  for (;;) {
    const descriptor = openDirectory(path);
    try {
      await flock(descriptor, path, exclusive, deadline, options.signal);
      // Whoever had it may have removed the directory, and another made one of that name (W104).
      if (isAt(descriptor, path)) return unlockOnce(descriptor, path);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    closeSync(descriptor);
  }
}

function openDirectory(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    throw storageError(error, action, path);
  }
}

/**
 * Node has no flock(2). The program of that name locks the open file that it inherits, which it shares with
 * us, so that the lock stays when it has ended.
 */
async function flock(
  descriptor: number,
  path: string,
  exclusive: boolean,
  deadline: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (signal?.aborted === true) throw gaveUp(path, signal.reason);
  const seconds = Math.max(0, (deadline - performance.now()) / 1000).toFixed(3);
  const mode = exclusive ? '--exclusive' : '--shared';
  const args = [mode, '--wait', seconds, '--conflict-exit-code', String(conflict), '3'];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn('flock', args, {
    stdio: ['ignore', 'ignore', 'pipe', descriptor],
    env: { ...process.env, LC_ALL: 'C' },
    ...(signal === undefined ? {} : { signal }),
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.on('error', (error) => {
    if (signal?.aborted !== true) reject(notStarted(path, error));
  });
  child.on('close', (code) => {
    if (signal?.aborted === true) reject(gaveUp(path, signal.reason));
    else if (code === 0) resolve();
    else if (code === conflict) reject(stillHeld(path, exclusive));
    else reject(storageError(new Error(said.trim() || `flock ended with ${code}`), action, path));
  });
  return promise;
}

/** What `flock` ends with when the time was up. */
const conflict = 75;

function isAt(descriptor: number, path: string): boolean {
  const locked = fstatSync(descriptor);
  try {
    const there = statSync(path);
    return there.ino === locked.ino && there.dev === locked.dev;
  } catch (error) {
    if (isMissing(error)) return false;
    throw storageError(error, action, path);
  }
}

function unlockOnce(descriptor: number, path: string): Unlock {
  let held = true;
  return () => {
    if (!held) {
      throw new VmplugError('invalid-argument', {
        action: 'unlock',
        subject: path,
        reason: 'this lock was released already',
      });
    }
    held = false;
    closeSync(descriptor);
  };
}

function notStarted(path: string, error: Error): VmplugError {
  if (errnoOf(error) !== 'ENOENT') return storageError(error, action, path);
  return new VmplugError('missing-package', {
    action,
    subject: path,
    reason: 'the program flock is not installed',
    hint: 'it is in the package util-linux',
    cause: error,
  });
}

function gaveUp(path: string, cause: unknown): VmplugError {
  return new VmplugError('aborted', { action, subject: path, reason: 'the caller gave up waiting', cause });
}

function stillHeld(path: string, exclusive: boolean): VmplugError {
  return new VmplugError('deadline-passed', {
    action,
    subject: path,
    reason: exclusive ? 'another process has it locked' : 'another process has it locked for itself',
    hint: `fuser -v ${path} shows who; a runtime that works on the sandbox holds it`,
  });
}
