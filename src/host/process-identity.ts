import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { ProcessIdentity } from '../api/operation.ts';
import { defaultHostPaths, type HostPaths } from './host-paths.ts';
import { parseProcStat, type ProcStat } from './proc-stat.ts';

/** The identity of a process that runs now; undefined when there is none, or only its zombie. */
export function processIdentity(
  pid: number,
  paths: HostPaths = defaultHostPaths,
): ProcessIdentity | undefined {
  const stat = procStat(pid, paths);
  if (stat === undefined || isDead(stat)) return undefined;
  const boot = bootId(paths);
  return { pid, startTime: boot === undefined ? stat.startTicks : `${stat.startTicks}@${boot}` };
}

/** Tells this boot of the host from every other one; undefined where the kernel does not say. */
export function bootId(paths: HostPaths = defaultHostPaths): string | undefined {
  return readText(`${paths.proc}/sys/kernel/random/boot_id`)?.trim();
}

/** Whether that very process still runs. A zombie does not. */
export function isAlive(identity: ProcessIdentity, paths: HostPaths = defaultHostPaths): boolean {
  return processIdentity(identity.pid, paths)?.startTime === identity.startTime;
}

let own: ProcessIdentity | undefined;

/** The identity of this process, which is looked up once. */
export function ownIdentity(): ProcessIdentity {
  return (own ??= processIdentity(process.pid) ?? { pid: process.pid, startTime: 'unknown' });
}

/** How often an ending process is looked at, in milliseconds. */
const endingPauseMs = 10;

/** Waits until a process has ended; `false` when it has not within `patienceMs`. */
export async function waitForEnd(identity: ProcessIdentity, patienceMs: number): Promise<boolean> {
  const deadline = performance.now() + patienceMs;
  while (isAlive(identity)) {
    if (performance.now() >= deadline) return false;
    await setTimeout(endingPauseMs);
  }
  return true;
}

/** The words that a process was started with, apart by spaces; empty where they cannot be read. */
export function commandLine(pid: number, paths: HostPaths = defaultHostPaths): string {
  const words = Number.isSafeInteger(pid) && pid > 0 ? readText(`${paths.proc}/${pid}/cmdline`) : undefined;
  return words?.replaceAll('\0', ' ').trimEnd() ?? '';
}

/** The parsed /proc/<pid>/stat; undefined when there is no such process. */
export function procStat(pid: number, paths: HostPaths): ProcStat | undefined {
  const text = Number.isSafeInteger(pid) && pid > 0 ? readText(`${paths.proc}/${pid}/stat`) : undefined;
  return text === undefined ? undefined : parseProcStat(text);
}

function isDead({ state }: ProcStat): boolean {
  return state === 'Z' || state === 'X' || state === 'x';
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
