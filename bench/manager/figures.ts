import { mean, median, percentile } from '../statistics.ts';
import { calls, type Call, type CallSamples, type Case, type MemoryUse } from './cases.ts';
import type { Seen } from './measure.ts';

/** What is told of one kind of work, in microseconds. */
export interface Figures {
  /** The median of the rounds' means: what v1's figures are, too. */
  readonly mean: number;
  /** Of all single ones. */
  readonly p99: number;
  readonly perSecond: number;
  /** The mean of each round. */
  readonly rounds: readonly number[];
}

export interface CaseFigures extends Case {
  readonly calls: Readonly<Record<Call, Figures>>;
  /** The four calls together. */
  readonly fourCalls: Figures;
  /** What the process has more than one whose manager is empty; medians. */
  readonly memory: MemoryUse;
}

/** Sums up what was seen of one manager; `empty` is the memory of processes whose manager has no devices. */
export function caseFigures(
  { storage, size, rounds, memory }: Seen,
  empty: readonly MemoryUse[],
): CaseFigures {
  const of = (call: Call): Figures => figuresOf(rounds.map((round) => round[call]));
  return {
    storage,
    size,
    calls: { new: of('new'), attach: of('attach'), detach: of('detach'), remove: of('remove') },
    fourCalls: figuresOf(rounds.map(sums)),
    memory: {
      heapBytes: above(memory, empty, 'heapBytes'),
      rssBytes: above(memory, empty, 'rssBytes'),
    },
  };
}

function sums(round: CallSamples): number[] {
  return round.new.map((_, cycle) =>
    calls.reduce((sum, call) => sum + (round[call][cycle] ?? Number.NaN), 0),
  );
}

function above(memory: readonly MemoryUse[], empty: readonly MemoryUse[], key: keyof MemoryUse): number {
  const middle = (uses: readonly MemoryUse[]): number => median(uses.map((use) => use[key]));
  return middle(memory) - middle(empty);
}

/** Sums up samples by round. */
export function figuresOf(samples: readonly (readonly number[])[]): Figures {
  const rounds = samples.map((round) => rounded(mean(round)));
  const middle = rounded(median(rounds));
  return {
    mean: middle,
    p99: rounded(percentile(samples.flat(), 0.99)),
    perSecond: Math.round(1e6 / middle),
    rounds,
  };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
