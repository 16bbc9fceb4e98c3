import type { Measurement } from './measure.ts';
import type { ProcessStarts } from './process-starts.ts';
import { stageTitles, type Stage, type SubjectName } from './stages.ts';
import { ratioOf, type Ratio } from './statistics.ts';

export interface Goal extends Ratio {
  readonly goal: string;
  readonly limit: number;
  readonly met: boolean;
}

interface Wanted {
  readonly stage: Stage;
  readonly base: SubjectName;
  readonly limit: number;
}

/** What the library is to cost at most, as a multiple of another's median. */
export const wanted: readonly Wanted[] = [
  { stage: 'attach-acknowledged', base: 'floor', limit: 1.15 },
  { stage: 'attach-live', base: 'floor', limit: 1.15 },
  { stage: 'detach', base: 'floor', limit: 1.15 },
  { stage: 'attach-acknowledged', base: 'libvirt', limit: 0.6 },
];
const lsLimit = 1.5;

/** The goals that can be judged by what was measured. */
export function judge(measurements: readonly Measurement[], starts: ProcessStarts | undefined): Goal[] {
  const samplesOf = (subject: SubjectName, stage: Stage): readonly number[] | undefined =>
    measurements.find((one) => one.subject === subject && one.stage === stage)?.samples;
  const goals = wanted.flatMap(({ stage, base, limit }) => {
    const [own, other] = [samplesOf('library', stage), samplesOf(base, stage)];
    if (own === undefined || other === undefined) return [];
    return [
      goal(`${stageTitles[stage]}, of ${base === 'floor' ? 'the floor' : base}`, limit, ratioOf(own, other)),
    ];
  });
  if (starts === undefined) return goals;
  return [...goals, goal('vmplug ls, of node -e 0', lsLimit, ratioOf(starts.ls, starts.node))];
}

function goal(text: string, limit: number, ratio: Ratio): Goal {
  return { goal: text, limit, ...ratio, met: ratio.ratio <= limit };
}
