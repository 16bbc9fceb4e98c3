import type { SoakSample } from './sample.ts';

/** One thing that must not grow. */
export interface Flatness {
  readonly what: string;
  /** What was counted, or how fast it grew in bytes for each cycle. */
  readonly kind: 'count' | 'growth';
  /** The most that is allowed: of a count its first value, of a growth this many bytes. */
  readonly limit: number;
  readonly reached: number;
  readonly isFlat: boolean;
}

/** Of what is counted every sample has to say the same as the first one. */
const counts: readonly [what: string, of: (sample: SoakSample) => number][] = [
  ['descriptors of vmplug', ({ vmplug }) => vmplug.descriptors],
  ['descriptors of QEMU', ({ qemu }) => qemu.descriptors],
  ['block nodes', ({ qemu }) => qemu.blockNodes],
  ['devices', ({ qemu }) => qemu.devices],
  ['attachments in the store', ({ store }) => store.attachments],
];

/** Bytes for each cycle, by the line that fits the later half of the samples best. */
const growths: readonly [what: string, of: (sample: SoakSample) => number, limits?: number][] = [
  ['heap of vmplug', ({ vmplug }) => vmplug.heap],
  // Allocators take it in steps of a MiB and more, and hardly give it back.
  ['resident memory of vmplug', ({ vmplug }) => vmplug.resident, 8],
  ['memory of QEMU', ({ qemu }) => qemu.own],
  ['the store', ({ store }) => store.size],
];

/** Judges samples of a soak; `mostBytes` is the growth for each cycle that is allowed, of some things a multiple of it. */
export function judgeFlatness(samples: readonly SoakSample[], mostBytes: number): Flatness[] {
  const [first] = samples;
  if (first === undefined) return [];
  const later = samples.slice(Math.floor(samples.length / 2));
  return [
    ...counts.map(([what, of]): Flatness => {
      const limit = of(first);
      const reached = samples.map(of).find((value) => value !== limit) ?? limit;
      return { what, kind: 'count', limit, reached, isFlat: reached === limit };
    }),
    ...growths.map(([what, of, limits = 1]): Flatness => {
      const limit = limits * mostBytes;
      const reached = Math.round(slope(later.map((sample) => [sample.cycles, of(sample)])));
      return { what, kind: 'growth', limit, reached, isFlat: reached <= limit };
    }),
  ];
}

/** The slope of the line with the least squares; 0 for a single point. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const width = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  if (width === 0) return 0;
  return points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / width;
}
