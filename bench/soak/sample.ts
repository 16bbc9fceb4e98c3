import { readdirSync, statSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { QmpConnection } from '../../src/hypervisors/qemu/index.ts';
import { storeFile } from '../../src/store/state-file.ts';
import type { Store } from '../../src/store/store.ts';
import { qemuMemory } from './qemu-memory.ts';

/** What there is after so many attaches and detaches, while nothing is attached. Sizes are in bytes. */
export interface SoakSample {
  readonly cycles: number;
  /** Milliseconds since the first cycle began. */
  readonly afterMs: number;
  readonly vmplug: {
    /** After a garbage collection. */
    readonly heap: number;
    readonly resident: number;
    readonly descriptors: number;
  };
  readonly qemu: {
    /** Its heap, its stacks and its data. */
    readonly own: number;
    /** What TCG has compiled of the guest. */
    readonly code: number;
    readonly guest: number;
    readonly descriptors: number;
    readonly blockNodes: number;
    readonly devices: number;
  };
  readonly store: {
    readonly size: number;
    /** Operations that the journal has kept. */
    readonly operations: number;
    readonly attachments: number;
  };
}

/** What is looked at. */
export interface Sampled {
  readonly stateDir: string;
  readonly store: Store;
  readonly qemuPid: number;
  /** A monitor beside that of vmplug. */
  readonly monitor: QmpConnection;
}

export async function takeSample(
  { stateDir, store, qemuPid, monitor }: Sampled,
  cycles: number,
  afterMs: number,
): Promise<SoakSample> {
  const [nodes, devices] = await Promise.all([
    monitor.execute('query-named-block-nodes', { flat: true }),
    monitor.execute('qom-list', { path: '/machine/peripheral' }),
  ]);
  const { operations, attachments } = store.read((tx) => ({
    operations: tx.operations({}).length,
    attachments: tx.attachments().length,
  }));
  collectGarbage();
  const { heapUsed, external, rss } = process.memoryUsage();
  return {
    cycles,
    afterMs: Math.round(afterMs),
    vmplug: { heap: heapUsed + external, resident: rss, descriptors: descriptorsOf(process.pid) },
    qemu: {
      ...qemuMemory(qemuPid),
      descriptors: descriptorsOf(qemuPid),
      blockNodes: lengthOf(nodes),
      devices: lengthOf(devices),
    },
    store: { size: sizeOf(stateDir), operations, attachments },
  };
}

setFlagsFromString('--expose-gc');
// A context gets `gc` when it is made after the flag was set.
const gc: unknown = runInNewContext('gc');

function collectGarbage(): void {
  if (typeof gc !== 'function') throw new Error('this Node has no gc to expose');
  // What the first one finalizes is collected by the second.
  gc();
  gc();
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** The database with its log. */
function sizeOf(stateDir: string): number {
  const file = storeFile(stateDir);
  return [file, `${file}-wal`].reduce(
    (sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

function lengthOf(reply: unknown): number {
  if (Array.isArray(reply)) return reply.length;
  throw new Error(`no list: ${JSON.stringify(reply)}`);
}
