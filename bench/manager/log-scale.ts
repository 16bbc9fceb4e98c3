import type { Scale } from '../scale.ts';

/** A logarithmic scale of whole decades that has room for all `values`; its ticks are powers of ten. */
export function logScale(values: readonly number[], from: number, to: number): Scale {
  const first = Math.floor(Math.log10(Math.min(...values)));
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values))));
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
  return { ticks, at: (value) => from + ((to - from) * (Math.log10(value) - first)) / (last - first) };
}
