import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';

/**
 * Starts a program that ends with this process, whatever becomes of that (util-linux's `setpriv`). When the
 * program cannot be run, `setpriv` says so and ends with 127.
 */
export function spawnTied(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], options);
}
