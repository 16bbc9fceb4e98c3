import { parseArgs } from 'node:util';
import { countOption, svgBeside } from '../option-values.ts';
import type { Extent } from './measure.ts';

export const usage = `npm run bench:manager -- [options]
  --sittings N    times that all processes are started anew (default 3)
  --rounds N      counted rounds in each sitting (default 10)
  --json FILE     where the figures go (default bench/results/manager.json)
  --svg FILE      where the plot goes (default: FILE of --json, ending in .svg)
  --state FOLDER  parent of the folders for the stores, on a disk (default /var/tmp)`;

export interface ManagerOptions extends Extent {
  readonly json: string;
  readonly svg: string;
  readonly state: string;
}

/** Throws a TypeError that says what is wrong with the command line. */
export function readManagerOptions(args: readonly string[]): ManagerOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sittings: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '10' },
      json: { type: 'string', default: 'bench/results/manager.json' },
      svg: { type: 'string' },
      state: { type: 'string', default: '/var/tmp' },
    },
  });
  return {
    sittings: countOption('--sittings', values.sittings),
    rounds: countOption('--rounds', values.rounds),
    json: values.json,
    svg: values.svg ?? svgBeside(values.json),
    state: values.state,
  };
}
