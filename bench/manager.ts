import { statfsSync } from 'node:fs';
import { currentLoad, readHostEnvironment } from './environment.ts';
import { measureManagers } from './manager/measure.ts';
import { readManagerOptions, usage, type ManagerOptions } from './manager/options.ts';
import { managerPlot } from './manager/plot.ts';
import { managerResults, type ManagerResults } from './manager/results.ts';
import { managerTable } from './manager/table.ts';
import { runProgram, say, writeResult } from './program.ts';

async function bench(
  { state, sittings, rounds }: ManagerOptions,
  signal: AbortSignal,
): Promise<ManagerResults> {
  const [startedAt, load, settings] = [new Date().toISOString(), currentLoad(), { sittings, rounds }];
  const measured = await measureManagers(state, settings, signal, say);
  const environment = await readHostEnvironment(state, load);
  return managerResults(measured, { startedAt, environment, settings });
}

// TMPFS_MAGIC and RAMFS_MAGIC of linux/magic.h
const memoryFileSystems = [0x01021994, 0x858458f6];

/** Where a disk is memory, making a record durable costs nothing. */
function refuseMemory(state: string): void {
  if (!memoryFileSystems.includes(statfsSync(state).type)) return;
  throw new TypeError(`--state ${state}: it is in memory; give a folder on a disk`);
}

/**
 * `npm run bench:manager`: what new, attach, detach and remove cost while 10 to 10,000 other
 * devices are managed, with a receiver that does nothing, and what the devices take.
 */
await runProgram({
  usage,
  read(args) {
    const options = readManagerOptions(args);
    refuseMemory(options.state);
    return options;
  },
  async run(options, signal) {
    const results = await bench(options, signal);
    console.log(managerTable(results));
    writeResult(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
    writeResult(options.svg, managerPlot(results));
  },
});
