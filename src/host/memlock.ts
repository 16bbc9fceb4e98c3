import { readFileSync } from 'node:fs';
import { defaultHostPaths, type HostPaths } from './host-paths.ts';

/**
 * How much memory a process may lock, in bytes, by `/proc/<pid>/limits` (proc_pid_limits(5), RLIMIT_MEMLOCK);
 * undefined without a limit, or when that cannot be read.
 */
export function memlockLimit(pid: number, paths: HostPaths = defaultHostPaths): number | undefined {
  try {
    const text = readFileSync(`${paths.proc}/${pid}/limits`, 'utf8');
    const soft = /^Max locked memory +(\d+) /m.exec(text)?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
