import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { rotated } from '../measure.ts';
import {
  cases,
  cyclesOf,
  storages,
  warmUpCommits,
  warmUpCyclesOf,
  type CallSamples,
  type Case,
  type MemoryUse,
  type Storage,
} from './cases.ts';
import { CommitFloor } from './commit-floor.ts';
import { fillStore } from './filled-store.ts';
import { WorkerProcess } from './worker-process.ts';

/** What was seen of one manager: a round after the other, and once for each of its processes. */
export interface Seen extends Case {
  readonly rounds: CallSamples[];
  readonly memory: MemoryUse[];
}

export interface Measured {
  readonly seen: readonly Seen[];
  /** Processes with a manager that has no devices. */
  readonly empty: Readonly<Record<Storage, MemoryUse[]>>;
  /** Microseconds of SQLite's own commits, by round. */
  readonly floor: readonly (readonly number[])[];
}

export interface Extent {
  /** How often all processes are started anew: how the compiler treats a program differs by process. */
  readonly sittings: number;
  /** Counted rounds in each sitting. */
  readonly rounds: number;
}

/**
 * Every manager is in a process of its own, and they are measured in turns, each round
 * beginning with another one: what disturbs the machine for a while disturbs all of them.
 */
export async function measureManagers(
  parent: string,
  { sittings, rounds }: Extent,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<Measured> {
  const seen: Seen[] = cases.map((each) => ({ ...each, rounds: [], memory: [] }));
  const empty: Record<Storage, MemoryUse[]> = { memory: [], durable: [] };
  const floor: number[][] = [];
  for (let sitting = 1; sitting <= sittings; sitting += 1) {
    say(`sitting ${sitting} of ${sittings}`);
    await using resources = new AsyncDisposableStack();
    const start = (each: Case): Promise<WorkerProcess> => startWorker(resources, parent, each, signal);
    for (const storage of storages) empty[storage].push((await start({ storage, size: 0 })).memory);
    const commits = resources.use(new CommitFloor(newDirectory(resources, parent)));
    commits.run(warmUpCommits);
    const turns = [() => Promise.resolve(void floor.push(commits.run(cyclesOf.durable)))];
    for (const each of seen) {
      const worker = await start(each);
      each.memory.push(worker.memory);
      await worker.run(warmUpCyclesOf[each.storage]);
      turns.push(async () => void each.rounds.push(await worker.run(cyclesOf[each.storage])));
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const turn of rotated(turns, round)) {
        signal.throwIfAborted();
        await turn();
      }
    }
  }
  return { seen, empty, floor };
}

async function startWorker(
  resources: AsyncDisposableStack,
  parent: string,
  { storage, size }: Case,
  signal: AbortSignal,
): Promise<WorkerProcess> {
  signal.throwIfAborted();
  const directory = storage === 'durable' ? newDirectory(resources, parent) : undefined;
  if (directory !== undefined) await fillStore(directory, size);
  return resources.use(await WorkerProcess.start(size, directory));
}

/** A folder that is removed with `resources`. */
function newDirectory(resources: AsyncDisposableStack, parent: string): string {
  const directory = mkdtempSync(join(parent, 'vmplug-manager-'));
  resources.defer(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
