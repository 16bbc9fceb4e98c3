import { mkdirSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { currentLoad, readHostEnvironment } from './environment.ts';
import { measureManagers } from './manager/measure.ts';
import { readManagerOptions, usage, type ManagerOptions } from './manager/options.ts';
import { managerPlot } from './manager/plot.ts';
import { managerResults, type ManagerResults } from './manager/results.ts';
import { managerTable } from './manager/table.ts';

/**
 * `npm run bench:manager`: what new, attach, detach and remove cost while 10 to 10,000 other
 * devices are managed, with a receiver that does nothing, and what the devices take.
 */
const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function bench({ state, sittings, rounds }: ManagerOptions): Promise<ManagerResults> {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => interrupt.abort(new Error(name)));
  const [startedAt, load, settings] = [new Date().toISOString(), currentLoad(), { sittings, rounds }];
  const measured = await measureManagers(state, settings, interrupt.signal, say);
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

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  say(`wrote ${file}`);
}

/** Undefined, with a word on what is wrong, where the command line cannot be followed. */
function optionsOrUsage(): ManagerOptions | undefined {
  try {
    const options = readManagerOptions(process.argv.slice(2));
    refuseMemory(options.state);
    return options;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    say(`${error.message}\n\n${usage}`);
    process.exitCode = 1;
    return undefined;
  }
}

const options = optionsOrUsage();
if (options !== undefined) {
  const results = await bench(options);
  console.log(managerTable(results));
  write(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
  write(options.svg, managerPlot(results));
}
