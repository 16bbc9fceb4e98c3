import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureGuestImage } from '../lab/guest/index.ts';
import { guardedDirectory, releaseDirectory } from '../lab/guard/guard.ts';
import { ensurePackages, qemuPackages } from '../lab/setup/packages.ts';
import { currentLoad, readEnvironment } from './environment.ts';
import { runProgram, say, writeResult } from './program.ts';
import { judgeFlatness } from './soak/flatness.ts';
import { readSoakOptions, usage, type SoakOptions } from './soak/options.ts';
import { soakPlot } from './soak/plot.ts';
import type { SoakResults } from './soak/results.ts';
import { soak } from './soak/run.ts';

/** Bytes for each cycle that may be noise: 1 MiB in 4,000 cycles. */
const mostBytes = 256;

async function measure({ state, ...settings }: SoakOptions, signal: AbortSignal): Promise<SoakResults> {
  await ensurePackages(qemuPackages, { onProgress: say });
  await ensureGuestImage({ onProgress: say });
  const [startedAt, load] = [new Date().toISOString(), currentLoad()];
  const directory = guardedDirectory(join(state, 'vmplug-soak-'));
  try {
    const samples = await soak(directory, settings, signal, (sample) => say(JSON.stringify(sample)));
    const { cycles, every } = settings;
    return {
      ...{ schemaVersion: 1, kind: 'vmplug-soak', startedAt, settings: { cycles, every } },
      environment: await readEnvironment(directory, load),
      flatness: judgeFlatness(samples, mostBytes),
      samples,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
    releaseDirectory(directory);
  }
}

/**
 * `npm run bench:soak`: one disk goes into a real guest and out again, thousands of times from one
 * process, and nothing grows: memory, descriptors, block nodes, the store.
 */
await runProgram({
  usage,
  read: readSoakOptions,
  async run(options, signal) {
    const results = await measure(options, signal);
    for (const { what, kind, reached, isFlat } of results.flatness) {
      console.log(
        `${isFlat ? 'flat' : 'GROWS'}  ${what}: ${reached}${kind === 'count' ? '' : ' bytes a cycle'}`,
      );
    }
    writeResult(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
    writeResult(options.svg, soakPlot(results));
    if (results.flatness.some(({ isFlat }) => !isFlat)) process.exitCode = 1;
  },
});
