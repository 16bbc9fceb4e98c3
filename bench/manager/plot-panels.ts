import { calls, sizes, v1FourCalls, v1StateWrite, type Call, type Storage } from './cases.ts';
import type { CaseFigures, Figures } from './figures.ts';
import { limits } from './goals.ts';
import type { ManagerResults } from './results.ts';

/** Values by number of devices. */
export interface Curve {
  readonly title: string;
  /** Class of its colour. */
  readonly colour: 'own' | 'tail' | 'peer' | 'floor' | Call;
  readonly dashed?: true;
  readonly points: readonly (readonly [size: number, value: number])[];
  /** The last value is written beside it. */
  readonly figure?: true;
}

/** Curves that share their axes; that of the devices is logarithmic. */
export interface CurvePanel {
  readonly title: string;
  readonly unit: string;
  readonly scale: 'logarithmic' | 'linear';
  readonly curves: readonly Curve[];
  readonly limit?: { readonly at: number; readonly words: string };
}

/** What the plot shows of the results. */
export function managerPanels({ figures, floor }: ManagerResults): CurvePanel[] {
  const of = (storage: Storage): CaseFigures[] => figures.filter((each) => each.storage === storage);
  const [memory, durable] = [of('memory'), of('durable')];
  return [
    {
      title: 'New, attach, detach and remove, in memory',
      unit: 'µs for all four',
      scale: 'logarithmic',
      curves: [
        { title: 'mean', colour: 'own', figure: true, points: by(memory, (each) => each.fourCalls.mean) },
        { title: 'p99', colour: 'tail', points: by(memory, (each) => each.fourCalls.p99) },
        { title: 'v1, mean', colour: 'peer', figure: true, points: v1FourCalls },
      ],
      limit: { at: limits.fourCalls, words: `goal: ${limits.fourCalls} µs` },
    },
    {
      title: 'The dearest of the four, durable',
      unit: 'ms for one call',
      scale: 'logarithmic',
      curves: [
        {
          title: 'mean',
          colour: 'own',
          figure: true,
          points: by(durable, (each) => dearest(each).mean / 1000),
        },
        { title: 'p99', colour: 'tail', points: by(durable, (each) => dearest(each).p99 / 1000) },
        {
          title: 'v1’s state write, no fsync',
          colour: 'peer',
          figure: true,
          points: v1StateWrite.map(([size, time]) => [size, time / 1000] as const),
        },
        {
          title: 'SQLite alone',
          colour: 'floor',
          points: sizes.map((size) => [size, floor.mean / 1000] as const),
        },
      ],
      limit: { at: limits.durableCall / 1000, words: `goal: ${limits.durableCall / 1000} ms` },
    },
    {
      title: 'Operations per second',
      unit: 'solid: in memory, dashed: durable',
      scale: 'logarithmic',
      curves: [
        ...calls.map((call) => perSecond(memory, call)),
        ...calls.map((call) => ({ ...perSecond(durable, call), dashed: true as const })),
      ],
    },
    {
      title: 'Resident memory above a process without devices',
      unit: 'MB',
      scale: 'linear',
      curves: [
        { title: 'in memory', colour: 'own', figure: true, points: by(memory, resident) },
        { title: 'durable', colour: 'tail', figure: true, points: by(durable, resident) },
      ],
      limit: { at: limits.memory, words: `goal: ${limits.memory} MB` },
    },
  ];
}

function by(figures: readonly CaseFigures[], value: (each: CaseFigures) => number): [number, number][] {
  return figures.map((each) => [each.size, value(each)]);
}

function dearest({ calls: of }: CaseFigures): Figures {
  return calls.map((call) => of[call]).reduce((most, each) => (each.mean > most.mean ? each : most));
}

function perSecond(figures: readonly CaseFigures[], call: Call): Curve {
  return { title: call, colour: call, points: by(figures, (each) => each.calls[call].perSecond) };
}

/** MB. A few devices are less than what two processes differ by, which may be less than nothing. */
function resident({ memory }: CaseFigures): number {
  return Math.max(0, memory.rssBytes / 1e6);
}
