import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ensureGuestImage } from '../lab/guest/index.ts';
import { Lab } from '../lab/harness.ts';
import { ensurePackages, qemuPackages } from '../lab/setup/packages.ts';
import { VmplugError } from '../src/api/errors.ts';
import { currentLoad, readEnvironment } from './environment.ts';
import { measure } from './measure.ts';
import { readOptions, usage, type BenchOptions } from './options.ts';
import { plotOf } from './plot.ts';
import { measureStarts } from './process-starts.ts';
import { resultsOf, type Results } from './results.ts';
import { recordDevices, startSubjects } from './start-subjects.ts';
import { tableOf } from './table.ts';

/**
 * `npm run bench`: vmplug beside the same QMP commands sent by hand and beside libvirt, on
 * equal guests, in one run.
 */
const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function bench(options: BenchOptions, signal: AbortSignal): Promise<Results> {
  const [startedAt, load] = [new Date(), currentLoad()];
  // On many machines /tmp is memory, where making a record durable costs nothing.
  process.env['TMPDIR'] = options.state;
  await using lab = new Lab();
  const { subjects, absent, resources } = await startSubjects(lab, options.subjects, say);
  await using _ = resources;
  const measurements = await measure(subjects, options.runs, signal, (run) => {
    if (run % 5 === 0) say(`run ${run} of ${options.runs}`);
  });
  if (options.ls) await recordDevices(lab, say);
  const starts = options.ls ? await measureStarts(lab.stateDir, options.runs, signal) : undefined;
  const environment = await readEnvironment(lab.directory, load);
  return resultsOf({ startedAt, runs: options.runs, environment, measurements, starts, absent });
}

function write(file: string | undefined, text: string): void {
  if (file === undefined) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  say(`wrote ${file}`);
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => interrupt.abort(new Error(name)));
  await ensurePackages(qemuPackages, { onProgress: say });
  await ensureGuestImage({ onProgress: say });
  const results = await bench(options, interrupt.signal);
  console.log(tableOf(results));
  write(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
  write(options.svg, plotOf(results));
}

try {
  await main();
} catch (error) {
  process.exitCode = 1;
  if (error instanceof VmplugError) say(`${error.message}\n  → ${error.hint ?? ''}`);
  else if (error instanceof TypeError && 'code' in error) say(`${error.message}\n\n${usage}`);
  else say(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
