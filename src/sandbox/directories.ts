import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildSocketPath } from '../api/names.ts';

/**
 * Where the state is: as said, else `VMPLUG_STATE_DIR`, else `/var/lib/vmplug` for root, else
 * by the XDG base directory specification `$XDG_STATE_HOME/vmplug`, `~/.local/state/vmplug`.
 */
export function stateDirectory(said: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  const given = said ?? env['VMPLUG_STATE_DIR'];
  if (given !== undefined && given !== '') return resolve(given);
  if (process.getuid?.() === 0) return '/var/lib/vmplug';
  const xdg = env['XDG_STATE_HOME'];
  return join(xdg !== undefined && xdg.startsWith('/') ? xdg : join(homedir(), '.local/state'), 'vmplug');
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
