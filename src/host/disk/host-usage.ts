import { readdirSync, readFileSync, statSync } from 'node:fs';
import { loopBackingIn } from './block-device.ts';
import { nodeIdentity, type NodeIdentity } from '../device-number.ts';
import type { HostPaths } from '../host-paths.ts';
import { parseMountinfo, type Mount } from '../mountinfo.ts';
import { errnoOf, unsuitable } from '../source-errors.ts';
import { parseSwaps } from './swaps.ts';

interface LoopDevice {
  name: string;
  backing: NodeIdentity;
}

/** What this host uses its storage for, each list read at most once and only when asked for. */
export interface HostUsage {
  paths: HostPaths;
  mounts(): readonly Mount[];
  swaps(): readonly NodeIdentity[];
  /** The loop devices that are bound to something that can still be found. */
  loops(): readonly LoopDevice[];
}

/** A view of the host's storage as it is now. Reading the mounts throws `source-unsuitable` when they cannot be known. */
export function hostUsage(paths: HostPaths): HostUsage {
  return {
    paths,
    mounts: once(() => parseMountinfo(readProc(`${paths.proc}/self/mountinfo`))),
    swaps: once(() =>
      parseSwaps(readProc(`${paths.proc}/swaps`, ''))
        .map(identityAt)
        .filter((id) => id !== undefined),
    ),
    loops: once(() => boundLoops(paths)),
  };
}

/** The identity of what `path` names now; undefined when there is nothing, or nothing of that kind. */
export function identityAt(path: string): NodeIdentity | undefined {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat && nodeIdentity(stat);
  } catch {
    return undefined;
  }
}

function boundLoops(paths: HostPaths): LoopDevice[] {
  return namesIn(`${paths.sys}/block`)
    .filter((name) => /^loop\d+$/.test(name))
    .flatMap((name) => {
      const backing = loopBackingIn(`${paths.sys}/block/${name}`);
      return backing === undefined ? [] : [{ name, backing }];
    });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function readProc(file: string, whenMissing?: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (whenMissing !== undefined && errnoOf(error) === 'ENOENT') return whenMissing;
    // Not knowing whether it is mounted must not pass for "it is not".
    throw unsuitable(
      file,
      'without it nobody can tell what this host has in use',
      'mount /proc, or pass --force if you know that the device is free',
      error,
    );
  }
}

function once<T>(read: () => T): () => T {
  let known: { value: T } | undefined;
  return () => (known ??= { value: read() }).value;
}
