import type { Reporter, TestModule } from 'vitest/node';
import { timingLines } from './timings/lines.ts';

/** Tells at the end of a run how long each test file took. */
export default class TimingsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const times = modules.map((module) => {
      const { duration, collectDuration } = module.diagnostic();
      return { file: module.relativeModuleId, ms: duration + collectDuration };
    });
    for (const line of timingLines(times)) console.log(line);
  }
}
