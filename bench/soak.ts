import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ensureGuestImage } from '../lab/guest/index.ts';
import { guardedDirectory, releaseDirectory } from '../lab/guard/guard.ts';
import { ensurePackages, qemuPackages } from '../lab/setup/packages.ts';
import { VmplugError } from '../src/api/errors.ts';
import { currentLoad, readEnvironment } from './environment.ts';
import { judgeFlatness } from './soak/flatness.ts';
import { readSoakOptions, usage, type SoakOptions } from './soak/options.ts';
import { soakPlot } from './soak/plot.ts';
import type { SoakResults } from './soak/results.ts';
import { soak } from './soak/run.ts';

/**
 * `npm run bench:soak`: one disk goes into a real guest and out again, thousands of times from one
 * process, and nothing grows: memory, descriptors, block nodes, the store.
 */
const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Bytes for each cycle that may be noise: 1 MiB in 4,000 cycles. */
const mostBytes = 256;

async function measure({ state, ...settings }: SoakOptions): Promise<SoakResults> {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => interrupt.abort(new Error(name)));
  await ensurePackages(qemuPackages, { onProgress: say });
  await ensureGuestImage({ onProgress: say });
  const [startedAt, load] = [new Date().toISOString(), currentLoad()];
  const directory = guardedDirectory(join(state, 'vmplug-soak-'));
  try {
    const samples = await soak(directory, settings, interrupt.signal, (sample) =>
      say(JSON.stringify(sample)),
    );
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

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  say(`wrote ${file}`);
}

try {
  const options = readSoakOptions(process.argv.slice(2));
  const results = await measure(options);
  for (const { what, kind, reached, isFlat } of results.flatness) {
    console.log(
      `${isFlat ? 'flat' : 'GROWS'}  ${what}: ${reached}${kind === 'count' ? '' : ' bytes a cycle'}`,
    );
  }
  write(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
  write(options.svg, soakPlot(results));
  if (results.flatness.some(({ isFlat }) => !isFlat)) process.exitCode = 1;
} catch (error) {
  process.exitCode = 1;
  if (error instanceof VmplugError) say(`${error.message}\n  → ${error.hint ?? ''}`);
  else if (error instanceof TypeError && !('code' in error)) say(`${error.message}\n\n${usage}`);
  else say(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
