import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync, type BigIntStats } from 'node:fs';
import { basename } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { ProcessIdentity } from '../api/operation.ts';
import { defaultHostPaths, type HostPaths } from './host-paths.ts';
import { parseListeningSockets } from './proc-net-unix.ts';
import { processIdentity, procStat } from './process-identity.ts';

export interface SocketOwner extends ProcessIdentity {
  /** The program's name: the file name of argv[0], or the kernel's short name for it. */
  command: string;
}

/**
 * The process that listens on the UNIX socket at `path`, in any network namespace; undefined when
 * nobody does, its descriptors may not be read (not our user), it was bound under another file
 * name, or several unrelated sockets were bound to that path and it cannot be told which one is
 * there now.
 *
 * Of the processes that share the socket, the one that started first, except for pid 1 (socket
 * activation). Takes some 10 µs a descriptor on the host, in slices.
 */
export async function socketOwner(
  path: string,
  paths: HostPaths = defaultHostPaths,
): Promise<SocketOwner | undefined> {
  const target = statOf(path);
  if (target === undefined || !target.isSocket()) return undefined;
  const names = new Set([basename(path), basename(realpathOf(path))]);
  const namespaces = new Map<string, Map<string, string>>();
  const holders = new Map<string, number[]>();
  let slice = performance.now();

  for (const pid of pidsOf(paths)) {
    if (performance.now() - slice > 5) {
      await setImmediate();
      slice = performance.now();
    }
    const listening = listenersFor(pid, names, namespaces, paths);
    if (listening.size === 0) continue;
    for (const inode of socketsOf(pid, paths)) {
      const bound = listening.get(inode);
      if (bound === undefined || !isBoundTo(bound, target, pid, paths)) continue;
      holders.set(inode, [...(holders.get(inode) ?? []), pid]);
    }
  }
  const owners = [...holders.values()].map((pids) => describe(pids, paths));
  // A socket that was unlinked and bound anew leaves two under one name. No answer beats a wrong one.
  return owners.every((owner) => owner?.pid === owners[0]?.pid) ? owners[0] : undefined;
}

/** The sockets with a fitting name that listen in the network namespace of `pid`: inode to path. */
function listenersFor(
  pid: number,
  names: ReadonlySet<string>,
  namespaces: Map<string, Map<string, string>>,
  paths: HostPaths,
): Map<string, string> {
  const namespace = linkOf(`${paths.proc}/${pid}/ns/net`) ?? '';
  let listening = namespaces.get(namespace);
  if (listening === undefined) {
    const own = namespace === '' || namespace === linkOf(`${paths.proc}/self/ns/net`);
    const text = textOf(own ? `${paths.proc}/net/unix` : `${paths.proc}/${pid}/net/unix`);
    const fitting = parseListeningSockets(text).filter(({ path }) => names.has(basename(path)));
    listening = new Map(fitting.map(({ inode, path }) => [inode, path]));
    namespaces.set(namespace, listening);
  }
  return listening;
}

/** Whether the path that `pid` bound leads to the socket that we look for, seen from that process. */
function isBoundTo(bound: string, target: BigIntStats, pid: number, paths: HostPaths): boolean {
  const from = `${paths.proc}/${pid}`;
  const ways = bound.startsWith('/') ? [bound, `${from}/root${bound}`] : [`${from}/cwd/${bound}`];
  return ways.some((way) => {
    const stat = statOf(way);
    return stat !== undefined && stat.dev === target.dev && stat.ino === target.ino;
  });
}

function describe(pids: readonly number[], paths: HostPaths): SocketOwner | undefined {
  const others = pids.filter((pid) => pid !== 1);
  let first: { pid: number; ticks: bigint } | undefined;
  for (const pid of others.length > 0 ? others : pids) {
    const ticks = BigInt(procStat(pid, paths)?.startTicks ?? -1);
    if (ticks >= 0n && (first === undefined || ticks < first.ticks)) first = { pid, ticks };
  }
  const identity = first && processIdentity(first.pid, paths);
  if (identity === undefined) return undefined;
  const program = textOf(`${paths.proc}/${identity.pid}/cmdline`).split('\0', 1)[0];
  return { ...identity, command: basename(program ?? '') || (procStat(identity.pid, paths)?.command ?? '') };
}

function pidsOf(paths: HostPaths): number[] {
  return namesIn(paths.proc)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

function socketsOf(pid: number, paths: HostPaths): string[] {
  const directory = `${paths.proc}/${pid}/fd`;
  return namesIn(directory).flatMap((name) => {
    const match = /^socket:\[(\d+)\]$/.exec(linkOf(`${directory}/${name}`) ?? '');
    return match?.[1] === undefined ? [] : [match[1]];
  });
}

function namesIn(directory: string): string[] {
  return attempt(() => readdirSync(directory)) ?? [];
}

function linkOf(path: string): string | undefined {
  return attempt(() => readlinkSync(path));
}

function textOf(path: string): string {
  return attempt(() => readFileSync(path, 'utf8')) ?? '';
}

function realpathOf(path: string): string {
  return attempt(() => realpathSync.native(path)) ?? path;
}

function statOf(path: string): BigIntStats | undefined {
  return attempt(() => statSync(path, { bigint: true, throwIfNoEntry: false }));
}

/** Processes end while we look at them: whatever cannot be read is not there. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
