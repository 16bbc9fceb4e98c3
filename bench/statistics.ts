/** The middle of the samples; the mean of the two middle ones where their number is even. */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The sample that `part` of all, such as 0.99, do not exceed (nearest rank). */
export function percentile(samples: readonly number[], part: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}

export function p95(samples: readonly number[]): number {
  return percentile(samples, 0.95);
}

export function mean(samples: readonly number[]): number {
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
}

export interface Ratio {
  readonly ratio: number;
  /** Where 95 of 100 such ratios would be, by resampling: how far the figure can be trusted. */
  readonly low: number;
  readonly high: number;
}

const resamples = 2000;

/** The ratio of two medians, with its 95 % bootstrap interval. The same samples give the same interval. */
export function ratioOf(samples: readonly number[], base: readonly number[]): Ratio {
  const random = generator(1);
  const again = (from: readonly number[]): number[] =>
    from.map(() => from[Math.floor(random() * from.length)] ?? Number.NaN);
  const ratios = Array.from({ length: resamples }, () => median(again(samples)) / median(again(base)));
  const sorted = ratios.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN;
  return { ratio: median(samples) / median(base), low: at(0.025), high: at(0.975) };
}

/** A small linear congruential generator (Numerical Recipes), good enough to draw samples with. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
