/** The four calls of one device's life, in their order. */
export const calls = ['new', 'attach', 'detach', 'remove'] as const;
export type Call = (typeof calls)[number];

/** Where the manager keeps its devices: nowhere but in memory, or in the store on disk. */
export const storages = ['memory', 'durable'] as const;
export type Storage = (typeof storages)[number];

/** Devices that stay managed and attached while one more is made and removed again. */
export const sizes = [10, 100, 1_000, 10_000] as const;
export const [fewest, most] = [sizes[0], sizes[3]];

/** One manager that is measured. */
export interface Case {
  readonly storage: Storage;
  readonly size: number;
}

export const cases: readonly Case[] = storages.flatMap((storage) => sizes.map((size) => ({ storage, size })));

/** Times that a round makes the four calls, and those before the first round, which settle the compiler. */
export const cyclesOf: Readonly<Record<Storage, number>> = { memory: 5_000, durable: 100 };
export const warmUpCyclesOf: Readonly<Record<Storage, number>> = { memory: 20_000, durable: 1_000 };

/** SQLite begins its log anew after 1,000 pages; before that each commit makes the file longer, which costs more. */
export const warmUpCommits = 2_000;

/** Microseconds of single calls, in the order in which they were made. */
export type CallSamples = Readonly<Record<Call, number[]>>;

/** Bytes of a process after a garbage collection. */
export interface MemoryUse {
  /** What JavaScript objects and their buffers take. */
  readonly heapBytes: number;
  readonly rssBytes: number;
}

/** What v1's Go code takes on a machine of this kind, without fsync; microseconds by size. */
export const v1FourCalls: readonly (readonly [size: number, time: number])[] = [
  [10, 14],
  [10_000, 299],
];
export const v1StateWrite: readonly (readonly [size: number, time: number])[] = [
  [10, 330],
  [10_000, 20_800],
];
