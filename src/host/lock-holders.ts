import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { defaultHostPaths, type HostPaths } from './host-paths.ts';

/**
 * The processes that hold or wait for a POSIX lock on a file, by /proc/locks (proc_locks(5)); -1 stands
 * for one in another pid namespace. SQLite's connections in WAL mode hold one for as long as they are open.
 */
export function lockHolders(path: string, paths: HostPaths = defaultHostPaths): number[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return [];
  const inode = `:${found.ino}`;
  const lines = readFileSync(join(paths.proc, 'locks'), 'utf8').split('\n');
  const fields = lines.map((line) => line.replace('-> ', '').split(/\s+/));
  // 1: POSIX ADVISORY READ 4711 fe:01:2883586 0 EOF. File systems show other device numbers than stat does (btrfs).
  const pids = fields.filter(([, , , , , file]) => file?.endsWith(inode)).map(([, , , , pid]) => Number(pid));
  return [...new Set(pids)];
}
