import type { Environment } from '../environment.ts';
import type { Flatness } from './flatness.ts';
import type { SoakSettings } from './run.ts';
import type { SoakSample } from './sample.ts';

/** What `--json` writes. `schemaVersion` is raised when a field changes its meaning. */
export interface SoakResults {
  readonly schemaVersion: 1;
  readonly kind: 'vmplug-soak';
  readonly startedAt: string;
  readonly environment: Environment;
  readonly settings: SoakSettings;
  readonly flatness: readonly Flatness[];
  readonly samples: readonly SoakSample[];
}
