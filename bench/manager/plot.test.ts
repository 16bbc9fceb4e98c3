import { expect, test } from 'vitest';
import { cases } from './cases.ts';
import type { Figures } from './figures.ts';
import { managerPlot } from './plot.ts';

const figures = (mean: number): Figures => ({ mean, p99: mean * 2, perSecond: 1e6 / mean, rounds: [mean] });

test('every curve has all sizes, and nothing is drawn outside', () => {
  const svg = managerPlot({
    schemaVersion: 1,
    kind: 'vmplug-bench-manager',
    startedAt: '2026-01-02T00:00:00.000Z',
    settings: { sittings: 1, rounds: 1 },
    environment: {
      ...{ vmplug: '1', node: '24', kernel: '6', distribution: 'd', cpu: 'c', cores: 2, memoryGiB: 1 },
      ...{ fileSystem: 'ext4', load: [0, 0] },
    },
    // A process may have less memory than one without devices.
    figures: cases.map((each) => ({
      ...each,
      calls: { new: figures(1), attach: figures(2), detach: figures(3), remove: figures(4) },
      fourCalls: figures(10),
      memory: { heapBytes: -1, rssBytes: -1 },
    })),
    floor: figures(100),
    goals: [],
  });
  const curves = [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(
    ([, points]) => points?.split(' ') ?? [],
  );
  expect(curves.map((points) => points.length)).toEqual([4, 4, 2, 4, 4, 2, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4]);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  const places = curves.flat().map((point) => point.split(',').map(Number));
  expect(Math.max(...places.map(([x = Number.NaN]) => x))).toBeLessThan(960);
  expect(Math.max(...places.map(([, y = Number.NaN]) => y))).toBeLessThan(780);
  expect(Math.min(...places.flat())).toBeGreaterThan(0);
});
