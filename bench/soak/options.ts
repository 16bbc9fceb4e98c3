import { parseArgs } from 'node:util';
import { countOption, svgBeside } from '../option-values.ts';
import type { SoakSettings } from './run.ts';

export const usage = `npm run bench:soak -- [options]
  --cycles N      attaches with their detaches (default 10000)
  --every N       cycles from one sample to the next (default 100)
  --json FILE     where the samples go (default bench/results/soak.json)
  --svg FILE      where the plot goes (default: FILE of --json, ending in .svg)
  --state FOLDER  parent of the folder for records, images and sockets (default /var/tmp, which is a disk)`;

export interface SoakOptions extends SoakSettings {
  readonly json: string;
  readonly svg: string;
  readonly state: string;
}

/** Throws a TypeError that says what is wrong with the command line. */
export function readSoakOptions(args: readonly string[]): SoakOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      cycles: { type: 'string', default: '10000' },
      every: { type: 'string', default: '100' },
      json: { type: 'string', default: 'bench/results/soak.json' },
      svg: { type: 'string' },
      state: { type: 'string', default: '/var/tmp' },
    },
  });
  const [cycles, every] = [countOption('--cycles', values.cycles), countOption('--every', values.every)];
  if (every > cycles) throw new TypeError(`--every ${every}: there are ${cycles} cycles only`);
  return {
    cycles,
    every,
    json: values.json,
    svg: values.svg ?? svgBeside(values.json),
    state: values.state,
  };
}
