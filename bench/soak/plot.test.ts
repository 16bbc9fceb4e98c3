import { expect, test } from 'vitest';
import { soakPlot } from './plot.ts';

test('every curve has all samples, and nothing is drawn outside', () => {
  const svg = soakPlot({
    schemaVersion: 1,
    kind: 'vmplug-soak',
    startedAt: '2026-01-02T00:00:00.000Z',
    settings: { cycles: 300, every: 100 },
    environment: {
      ...{ vmplug: '1', node: '24', kernel: '6', distribution: 'd', cpu: 'c', cores: 2, memoryGiB: 1 },
      ...{ fileSystem: 'ext4', load: [0, 0], qemu: '7', accel: 'tcg', machine: 'q35' },
    },
    flatness: [],
    samples: [100, 200, 300].map((cycles) => ({
      cycles,
      afterMs: cycles,
      vmplug: { heap: 3e7, resident: 1e8, descriptors: 30 },
      qemu: { own: 4e7, code: 5e7, guest: 1e8, descriptors: 20, blockNodes: 0, devices: 6 },
      store: { size: 5e6, operations: 900, attachments: 0 },
    })),
  });
  const curves = [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(
    ([, points]) => points?.split(' ') ?? [],
  );
  expect(curves.map((points) => points.length)).toEqual([3, 3, 3, 3, 3, 3, 3, 3, 3]);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  const places = curves.flat().map((point) => point.split(',').map(Number));
  expect(Math.max(...places.map(([x = Number.NaN]) => x))).toBeLessThan(960);
  expect(Math.max(...places.map(([, y = Number.NaN]) => y))).toBeLessThan(730);
  expect(Math.min(...places.flat())).toBeGreaterThan(0);
});
