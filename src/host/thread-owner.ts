import { readdirSync, readFileSync } from 'node:fs';
import { defaultHostPaths, type HostPaths } from './host-paths.ts';

/**
 * Whether a thread, by the number that a VMM gave, is one of another process than `pid`: then `pid` only passes
 * on what the VMM says. A VMM in a pid namespace of its own gives the number that it has there
 * (`NSpid` of proc_pid_status(5)). False where no thread of this host has the number.
 */
export function isThreadOfAnother(thread: number, pid: number, paths: HostPaths = defaultHostPaths): boolean {
  const tasks = `${paths.proc}/${pid}/task`;
  const isOwn = namesIn(tasks).some((task) => {
    const numbers = field(`${tasks}/${task}/status`, 'NSpid')?.split(/\s+/) ?? [task];
    return numbers.includes(String(thread));
  });
  if (isOwn) return false;
  const owner = field(`${paths.proc}/${thread}/status`, 'Tgid');
  return owner !== undefined && owner !== String(pid);
}

function field(file: string, name: string): string | undefined {
  try {
    return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readFileSync(file, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
