import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';
import type { SeenFact } from '../lab/seen.ts';
import { merged, parseSeen, seenFile } from './kinds/seen-file.ts';

/** Keeps what the tests that passed have seen in `.results/seen.json`: of a file that ran, this run's facts alone. */
export default class SeenReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const facts = new Map(modules.map((module) => [module.relativeModuleId, factsOf(module)]));
    const seen = merged(readSeen(), facts);
    mkdirSync(dirname(seenFile), { recursive: true });
    writeFileSync(seenFile, `${JSON.stringify(seen, undefined, 2)}\n`);
  }
}

function factsOf(module: TestModule): SeenFact[] {
  return [...module.children.allTests('passed')].flatMap((test) => test.meta().seen ?? []);
}

function readSeen(): Record<string, SeenFact[]> {
  try {
    return parseSeen(readFileSync(seenFile, 'utf8'));
  } catch {
    // There is none, or a run was killed while it wrote it.
    return {};
  }
}
