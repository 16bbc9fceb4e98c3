import { ratioOf } from '../statistics.ts';
import { calls, fewest, most, storages, type Storage } from './cases.ts';
import type { CaseFigures } from './figures.ts';

export interface ManagerGoal {
  readonly goal: string;
  readonly unit: '×' | 'µs' | 'MB';
  readonly limit: number;
  readonly is: number;
  /** Where 95 of 100 such figures would be, by resampling the rounds; missing where it is one figure. */
  readonly low?: number;
  readonly high?: number;
  readonly met: boolean;
}

export const limits = {
  /** Of the most devices, as a multiple of the fewest. */
  flatness: 1.3,
  /** Microseconds of the four calls together, in memory. */
  fourCalls: 30,
  /** Microseconds of each durable call. */
  durableCall: 500,
  /** MB (10^6 bytes) that the process with the most devices has more than one without. */
  memory: 60,
} as const;

const storageWords: Readonly<Record<Storage, string>> = { memory: 'in memory', durable: 'durable' };

/** The goals that can be judged by `figures`. */
export function judgeManager(figures: readonly CaseFigures[]): ManagerGoal[] {
  const at = (storage: Storage, size: number): CaseFigures | undefined =>
    figures.find((each) => each.storage === storage && each.size === size);
  const [memory, durable] = [at('memory', most), at('durable', most)];
  return [
    ...storages.flatMap((storage) => {
      const [large, small] = [at(storage, most), at(storage, fewest)];
      if (large === undefined || small === undefined) return [];
      const words = `four calls ${storageWords[storage]}, ${most} devices of ${fewest}`;
      return [resampled(words, '×', limits.flatness, large.fourCalls.rounds, small.fourCalls.rounds)];
    }),
    ...(memory === undefined
      ? []
      : [
          resampled(`four calls in memory, ${most} devices`, 'µs', limits.fourCalls, memory.fourCalls.rounds),
        ]),
    ...(durable === undefined
      ? []
      : calls.map((call) =>
          resampled(`durable ${call}, ${most} devices`, 'µs', limits.durableCall, durable.calls[call].rounds),
        )),
    ...[memory, durable].flatMap((large) => (large === undefined ? [] : [memoryGoal(large)])),
  ];
}

/** A figure is its own ratio to 1. */
function resampled(
  goal: string,
  unit: '×' | 'µs',
  limit: number,
  rounds: readonly number[],
  base: readonly number[] = [1],
): ManagerGoal {
  const { ratio: is, low, high } = ratioOf(rounds, base);
  return { goal, unit, limit, is, low, high, met: is <= limit };
}

function memoryGoal({ storage, size, memory }: CaseFigures): ManagerGoal {
  const is = memory.rssBytes / 1e6;
  const goal = `${size} devices ${storageWords[storage]}, resident`;
  return { goal, unit: 'MB', limit: limits.memory, is, met: is < limits.memory };
}
