import type { AtPoint, MessagePoint, MessagePoints } from './message-points.ts';

/** Which point: every member that is given must be equal. */
export interface PointMatch extends Partial<MessagePoint> {
  /** The how many-th of those that match, from 1; the first by default. */
  readonly nth?: number;
}

/** A conversation that stops at a point until it is let go on. */
export interface HeldPoint {
  /** Resolves when it is there. */
  readonly reached: Promise<MessagePoint>;
  /** Lets it go on; `drop` ends the connection instead, and what was to come next is left undone. */
  release(what?: AtPoint): void;
}

/** Holds the conversation with a VM at the first point that matches. */
export function holdAt(points: MessagePoints, { nth = 1, ...match }: PointMatch): HeldPoint {
  const { promise: reached, resolve: reach } = Promise.withResolvers<MessagePoint>();
  const { promise: released, resolve: release } = Promise.withResolvers<AtPoint>();
  let left = nth;
  const stop = points.watch((point) => {
    if (!isMatch(point, match)) return undefined;
    left -= 1;
    if (left > 0) return undefined;
    stop();
    reach(point);
    return released;
  });
  return {
    reached,
    release: (what = 'go-on') => {
      stop();
      release(what);
    },
  };
}

function isMatch(point: MessagePoint, { index, kind, name, phase }: Partial<MessagePoint>): boolean {
  return (
    (index === undefined || index === point.index) &&
    (kind === undefined || kind === point.kind) &&
    (name === undefined || name === point.name) &&
    (phase === undefined || phase === point.phase)
  );
}
