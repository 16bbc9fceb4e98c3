import type { Environment } from './environment.ts';
import { judge, type Goal } from './goals.ts';
import { warmUps, type Measurement } from './measure.ts';
import type { ProcessStarts } from './process-starts.ts';
import type { Stage, SubjectName } from './stages.ts';
import { median, p95 } from './statistics.ts';
import { guestPauseMs } from './subject.ts';

/** A subject that could not be measured here. */
export interface Absent {
  readonly subject: SubjectName;
  readonly reason: string;
  readonly hint: string;
}

export interface Series {
  readonly median: number;
  readonly p95: number;
  readonly samples: readonly number[];
}

/** What `--json` writes. Times are milliseconds. `schemaVersion` is raised when a field changes its meaning. */
export interface Results {
  readonly schemaVersion: 1;
  readonly kind: 'vmplug-bench';
  readonly startedAt: string;
  readonly environment: Environment;
  readonly settings: { readonly runs: number; readonly warmUps: number; readonly guestPauseMs: number };
  readonly measurements: readonly (Series & { readonly subject: SubjectName; readonly stage: Stage })[];
  readonly processes?: { readonly node: Series; readonly ls: Series };
  readonly goals: readonly Goal[];
  readonly absent: readonly Absent[];
}

export interface Measured {
  readonly startedAt: Date;
  readonly runs: number;
  readonly environment: Environment;
  readonly measurements: readonly Measurement[];
  readonly starts: ProcessStarts | undefined;
  readonly absent: readonly Absent[];
}

export function resultsOf(measured: Measured): Results {
  const { startedAt, runs, environment, measurements, starts, absent } = measured;
  return {
    schemaVersion: 1,
    kind: 'vmplug-bench',
    startedAt: startedAt.toISOString(),
    environment,
    settings: { runs, warmUps, guestPauseMs },
    measurements: measurements.map(({ subject, stage, samples }) => ({ subject, stage, ...series(samples) })),
    ...(starts === undefined ? {} : { processes: { node: series(starts.node), ls: series(starts.ls) } }),
    goals: judge(measurements, starts),
    absent,
  };
}

function series(samples: readonly number[]): Series {
  const rounded = (value: number): number => Math.round(value * 1000) / 1000;
  return { median: rounded(median(samples)), p95: rounded(p95(samples)), samples: samples.map(rounded) };
}
