/** From a value to a place. */
export interface Scale {
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** A linear scale from 0 at `left` to `right` that has room for `most`, with about five round ticks. */
export function scaleTo(most: number, left: number, right: number): Scale {
  const step = roundStep(most / 5);
  const end = Math.ceil(most / step) * step;
  const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, index) => index * step);
  return { ticks, at: (value) => left + ((right - left) * value) / end };
}

/** The next of 1, 2, 5, 10, 20, … */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10) * power;
}
