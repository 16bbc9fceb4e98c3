import { readFile } from 'node:fs/promises';
import { defaultHostPaths, type HostPaths } from '../host-paths.ts';
import { socketOwner } from '../unix-socket-owner.ts';

/**
 * Whether the program behind the UNIX socket at `path` is told by its command line to end with its first
 * client, as passt is by `--one-off` and `-1` (passt(1)). Of other programs that is not known before.
 */
export async function servesOnce(path: string, paths: HostPaths = defaultHostPaths): Promise<boolean> {
  const owner = await socketOwner(path, paths);
  if (owner === undefined) return false;
  const line = await readFile(`${paths.proc}/${owner.pid}/cmdline`, 'utf8').catch(() => '');
  const words = line.split('\0');
  return words.some((word) => /passt/.test(word)) && words.some((word) => /^(--one-off$|-\w*1)/.test(word));
}
