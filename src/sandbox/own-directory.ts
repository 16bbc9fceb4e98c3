import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { VmplugError } from '../api/errors.ts';
import { isAlive, ownIdentity } from '../host/process-identity.ts';
import { makeDirectories } from '../store/make-directories.ts';
import { stateError } from '../store/sqlite-errors.ts';
import { errnoOf } from '../store/v1/storage-error.ts';

/** Says which process is starting the VM of a directory that is in no record yet. */
const starter = 'starting';

/**
 * Makes the directory of a sandbox. It is also the lock: of two runs of one name at once, one makes it.
 * @throws VmplugError `sandbox-exists`; `state-unavailable` where nothing can be made: then nothing is left
 */
export function makeOwnDirectory(directory: string, name: string): void {
  let isMade = false;
  try {
    makeDirectories(dirname(directory), 0o700);
    mkdirSync(directory, { mode: 0o700 });
    isMade = true;
    const { pid, startTime } = ownIdentity();
    writeFileSync(join(directory, starter), `${pid} ${startTime}`);
  } catch (error) {
    if (isMade) rmSync(directory, { recursive: true, force: true });
    else if (errnoOf(error) === 'EEXIST' && existsSync(directory)) throw isThere(directory, name, error);
    throw stateError(error, 'start the sandbox in', directory);
  }
}

function isThere(directory: string, name: string, cause: unknown): VmplugError {
  return new VmplugError('sandbox-exists', {
    action: 'start the sandbox',
    subject: name,
    reason: `its directory ${directory} is there already`,
    hint: 'another run of that name is under way, or one was killed: vmplug doctor --repair clears what is left of it',
    cause,
  });
}

/** Whether a living process is starting a VM in the directory. */
export function isBeingStarted(directory: string): boolean {
  try {
    const [pid = '', startTime = ''] = readFileSync(join(directory, starter), 'utf8').split(' ');
    return isAlive({ pid: Number(pid), startTime });
  } catch {
    return false;
  }
}
