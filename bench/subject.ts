import type { Stage, SubjectName } from './stages.ts';

export type Times = Partial<Record<Stage, number>>;

/** Somebody who can attach a disk to a VM of its own and detach it again. */
export interface Subject {
  readonly name: SubjectName;
  /** One run: attaches, gives the guest {@link guestPauseMs}, detaches. */
  run(): Promise<Times>;
}

/**
 * Milliseconds between attach and detach: a guest that is still looking for partitions lets go
 * later, and that would be measured with some and not with others.
 */
export const guestPauseMs = 300;

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
