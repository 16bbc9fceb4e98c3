import { expect, test } from 'vitest';
import { judgeFlatness, slope } from './flatness.ts';
import type { SoakSample } from './sample.ts';

function sample(index: number, more: { heap?: number; nodes?: number } = {}): SoakSample {
  return {
    cycles: index * 10,
    afterMs: index,
    vmplug: { heap: more.heap ?? 1000, resident: 2000, descriptors: 20 },
    qemu: { own: 1, code: 2, guest: 3, descriptors: 9, blockNodes: more.nodes ?? 0, devices: 5 },
    store: { size: 100, operations: 7, attachments: 0 },
  };
}

const notFlat = (samples: readonly SoakSample[]): string[] =>
  judgeFlatness(samples, 10)
    .filter(({ isFlat }) => !isFlat)
    .map(({ what }) => what);

test('what stays as it is is flat', () => {
  expect(notFlat([1, 2, 3, 4].map((index) => sample(index)))).toEqual([]);
});

test('one block node more in a single sample is not', () => {
  expect(notFlat([sample(1), sample(2, { nodes: 1 }), sample(3), sample(4)])).toEqual(['block nodes']);
});

test('memory may grow at first, and not in the end', () => {
  const heaps = (...values: number[]): SoakSample[] => values.map((heap, index) => sample(index, { heap }));
  expect(notFlat(heaps(0, 9000, 9010, 9020))).toEqual([]);
  expect(notFlat(heaps(0, 9000, 9100, 9300))).toEqual(['heap of vmplug']);
});

test('the slope is that of the line through the points', () => {
  expect(slope([1, 2, 3].map((x) => [x, 5 * x + 2]))).toBeCloseTo(5);
  expect(slope([[1, 1]])).toBe(0);
});
