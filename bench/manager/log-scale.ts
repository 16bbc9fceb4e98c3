/** From a value to a place between `from` and `to`, by its logarithm. */
export interface LogScale {
  /** Powers of ten. */
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** A scale of whole decades that has room for all `values`. */
export function logScale(values: readonly number[], from: number, to: number): LogScale {
  const first = Math.floor(Math.log10(Math.min(...values)));
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values))));
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
  return { ticks, at: (value) => from + ((to - from) * (Math.log10(value) - first)) / (last - first) };
}
