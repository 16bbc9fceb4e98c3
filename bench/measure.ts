import type { Subject } from './subject.ts';
import { stages, type Stage, type SubjectName } from './stages.ts';

/** The samples of one subject and stage, in the order of the runs. */
export interface Measurement {
  readonly subject: SubjectName;
  readonly stage: Stage;
  readonly samples: readonly number[];
}

/** Runs that fill caches and connections, and are not counted. */
export const warmUps = 3;

/**
 * Runs the subjects in turn, run by run, and each time beginning with another one: what
 * disturbs the machine for a while disturbs all of them.
 */
export async function measure(
  subjects: readonly Subject[],
  runs: number,
  signal: AbortSignal,
  onRun: (run: number) => void,
): Promise<Measurement[]> {
  const samples = new Map<string, number[]>();
  for (let run = -warmUps; run < runs; run += 1) {
    onRun(run);
    for (const subject of rotated(subjects, run + warmUps)) {
      signal.throwIfAborted();
      const times = await subject.run();
      if (run < 0) continue;
      for (const stage of stages) {
        const time = times[stage];
        if (time === undefined) continue;
        const key = `${subject.name} ${stage}`;
        samples.set(key, [...(samples.get(key) ?? []), time]);
      }
    }
  }
  return subjects.flatMap(({ name }) =>
    stages.flatMap((stage) => {
      const found = samples.get(`${name} ${stage}`);
      return found === undefined ? [] : [{ subject: name, stage, samples: found }];
    }),
  );
}

export function rotated<T>(list: readonly T[], by: number): T[] {
  const start = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
