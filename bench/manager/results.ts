import type { HostEnvironment } from '../environment.ts';
import { caseFigures, figuresOf, type CaseFigures, type Figures } from './figures.ts';
import { judgeManager, type ManagerGoal } from './goals.ts';
import type { Extent, Measured } from './measure.ts';

/** What `--json` writes. Times are microseconds. `schemaVersion` is raised when a field changes its meaning. */
export interface ManagerResults {
  readonly schemaVersion: 1;
  readonly kind: 'vmplug-bench-manager';
  readonly startedAt: string;
  readonly environment: HostEnvironment;
  readonly settings: Extent;
  readonly figures: readonly CaseFigures[];
  /** One row committed by SQLite alone, on the same disk in the same rounds. */
  readonly floor: Figures;
  readonly goals: readonly ManagerGoal[];
}

/** Sums up what was measured. */
export function managerResults(
  { seen, empty, floor }: Measured,
  about: Pick<ManagerResults, 'startedAt' | 'environment' | 'settings'>,
): ManagerResults {
  const figures = seen.map((each) => caseFigures(each, empty[each.storage]));
  return {
    schemaVersion: 1,
    kind: 'vmplug-bench-manager',
    ...about,
    figures,
    floor: figuresOf(floor),
    goals: judgeManager(figures),
  };
}
