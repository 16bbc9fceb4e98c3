import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { VmplugError } from '../api/errors.ts';
import { isAlive, ownIdentity } from '../host/process-identity.ts';

/** Says which process is starting the VM of a directory that is in no record yet. */
const starter = 'starting';

/**
 * Makes the directory of a sandbox. It is also the lock: of two runs of one name at once, one makes it.
 * @throws VmplugError `sandbox-exists`
 */
export function makeOwnDirectory(directory: string, name: string): void {
  mkdirSync(dirname(directory), { recursive: true, mode: 0o700 });
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    throw new VmplugError('sandbox-exists', {
      action: 'start the sandbox',
      subject: name,
      reason: `its directory ${directory} cannot be made: ${error instanceof Error ? error.message : String(error)}`,
      hint: 'another run of that name is under way, or one was killed: vmplug doctor --repair clears what is left of it',
      cause: error,
    });
  }
  const { pid, startTime } = ownIdentity();
  writeFileSync(join(directory, starter), `${pid} ${startTime}`);
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
