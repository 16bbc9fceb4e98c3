import { expect, test } from 'vitest';
import type { CallSamples } from './cases.ts';
import { caseFigures, figuresOf } from './figures.ts';

test('the mean is the median of the rounds, the 99th percentile that of all single calls', () => {
  const rounds = [
    [1, 3],
    [2, 4],
    [100, 200],
  ];
  expect(figuresOf(rounds)).toEqual({ mean: 3, p99: 200, perSecond: 333_333, rounds: [2, 3, 150] });
});

test('the four calls are summed cycle by cycle, memory is what is above an empty process', () => {
  const round: CallSamples = { new: [1, 5], attach: [2, 6], detach: [3, 7], remove: [4, 8] };
  const figures = caseFigures(
    { storage: 'memory', size: 10, rounds: [round], memory: [{ heapBytes: 7, rssBytes: 90 }] },
    [{ heapBytes: 2, rssBytes: 50 }],
  );
  expect(figures.fourCalls).toMatchObject({ mean: 18, p99: 26 });
  expect(figures.calls.detach.mean).toBe(5);
  expect(figures.memory).toEqual({ heapBytes: 5, rssBytes: 40 });
});
