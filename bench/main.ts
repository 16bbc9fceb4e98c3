import { ensureGuestImage } from '../lab/guest/index.ts';
import { Lab } from '../lab/harness.ts';
import { ensurePackages, qemuPackages } from '../lab/setup/packages.ts';
import { currentLoad, readEnvironment } from './environment.ts';
import { measure } from './measure.ts';
import { readOptions, usage, type BenchOptions } from './options.ts';
import { plotOf } from './plot.ts';
import { measureStarts } from './process-starts.ts';
import { runProgram, say, writeResult } from './program.ts';
import { resultsOf, type Results } from './results.ts';
import { recordDevices, startSubjects } from './start-subjects.ts';
import { tableOf } from './table.ts';

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

/**
 * `npm run bench`: vmplug beside the same QMP commands sent by hand and beside libvirt, on
 * equal guests, in one run.
 */
await runProgram({
  usage,
  read: readOptions,
  async run(options, signal) {
    await ensurePackages(qemuPackages, { onProgress: say });
    await ensureGuestImage({ onProgress: say });
    const results = await bench(options, signal);
    console.log(tableOf(results));
    if (options.json !== undefined) writeResult(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
    if (options.svg !== undefined) writeResult(options.svg, plotOf(results));
  },
});
