import { expect, test } from 'vitest';
import type { Case } from './cases.ts';
import type { CaseFigures, Figures } from './figures.ts';
import { judgeManager } from './goals.ts';

const figures = (mean: number): Figures => ({ mean, p99: mean, perSecond: 1e6 / mean, rounds: [mean] });

function caseOf(given: Case & { four: number; attach?: number; rssBytes?: number }): CaseFigures {
  const { storage, size, four, attach = 1, rssBytes = 0 } = given;
  const one = figures(1);
  return {
    ...{ storage, size },
    calls: { new: one, attach: figures(attach), detach: one, remove: one },
    fourCalls: figures(four),
    memory: { heapBytes: 0, rssBytes },
  };
}

const missed = (all: readonly CaseFigures[]): string[] =>
  judgeManager(all).flatMap(({ goal, met }) => (met ? [] : [goal]));

const good = [
  caseOf({ storage: 'memory', size: 10, four: 23.1 }),
  caseOf({ storage: 'memory', size: 10_000, four: 30, rssBytes: 59.9e6 }),
  caseOf({ storage: 'durable', size: 10, four: 1000 }),
  caseOf({ storage: 'durable', size: 10_000, four: 1300, attach: 500, rssBytes: 59.9e6 }),
];

test('what is just good enough meets all goals', () => {
  expect(judgeManager(good)).toHaveLength(9);
  expect(missed(good)).toEqual([]);
});

test.each([
  [caseOf({ storage: 'memory', size: 10, four: 23 }), 'four calls in memory, 10000 devices of 10'],
  [caseOf({ storage: 'memory', size: 10_000, four: 30.01 }), 'four calls in memory, 10000 devices'],
  [
    caseOf({ storage: 'memory', size: 10_000, four: 30, rssBytes: 60e6 }),
    '10000 devices in memory, resident',
  ],
  [caseOf({ storage: 'durable', size: 10, four: 999 }), 'four calls durable, 10000 devices of 10'],
  [caseOf({ storage: 'durable', size: 10_000, four: 1300, attach: 501 }), 'durable attach, 10000 devices'],
  [
    caseOf({ storage: 'durable', size: 10_000, four: 1300, rssBytes: 61e6 }),
    '10000 devices durable, resident',
  ],
])('and what is not misses its own', (worse, goal) => {
  const all = good.map((each) => (each.storage === worse.storage && each.size === worse.size ? worse : each));
  expect(missed(all)).toEqual([goal]);
});

test('what was not measured is not judged', () => {
  expect(judgeManager([])).toEqual([]);
});
