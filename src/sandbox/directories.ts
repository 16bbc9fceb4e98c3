import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { VmplugError } from '../api/errors.ts';
import { buildSocketPath } from '../api/names.ts';

/**
 * Where the state is: as said, else `VMPLUG_STATE_DIR`, else `/var/lib/vmplug` for root, else
 * by the XDG base directory specification `$XDG_STATE_HOME/vmplug`, `~/.local/state/vmplug`.
 * @throws VmplugError `invalid-argument` for an empty one that was said: a script whose variable is not
 *   set means no other state
 */
export function stateDirectory(said: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  const variable = env['VMPLUG_STATE_DIR'];
  const given = said ?? variable;
  // The command line hands on an empty variable, which is one that is not set, as if it had been said.
  if (said === '' && variable !== '') throw emptyDirectory();
  if (given !== undefined && given !== '') return resolve(given);
  if (process.getuid?.() === 0) return '/var/lib/vmplug';
  const xdg = env['XDG_STATE_HOME'];
  return join(xdg !== undefined && xdg.startsWith('/') ? xdg : join(homedir(), '.local/state'), 'vmplug');
}

function emptyDirectory(): VmplugError {
  return new VmplugError('invalid-argument', {
    action: 'use as the state directory',
    subject: '',
    reason: 'the path is empty',
    hint: 'give a directory, or leave it out for the usual one',
  });
}

/** The files of a VM that vmplug runs itself. */
export interface SandboxFiles {
  readonly directory: string;
  readonly qmpSocket: string;
  readonly execSocket: string;
  readonly consoleLog: string;
  readonly log: string;
}

/** @throws VmplugError `invalid-argument` when a socket's path would be too long */
export function sandboxFiles(stateDir: string, name: string): SandboxFiles {
  const directory = join(stateDir, 'sandboxes', name);
  return {
    directory,
    qmpSocket: buildSocketPath(directory, 'qmp.sock'),
    execSocket: buildSocketPath(directory, 'exec.sock'),
    consoleLog: join(directory, 'console.log'),
    log: join(directory, 'qemu.log'),
  };
}
