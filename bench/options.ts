import { parseArgs } from 'node:util';
import { countOption } from './option-values.ts';
import { subjectNames, type SubjectName } from './stages.ts';

export const usage = `npm run bench -- [options]
  --runs N      counted runs of every subject (default 30)
  --only NAMES  of ${[...subjectNames, 'ls'].join(', ')}; separated by commas. The floor always runs with a subject
  --json FILE   where the samples go (default bench/results/latest.json; with --only: nowhere)
  --svg FILE    where the plot goes (default bench/results/latest.svg; with --only: nowhere)
  --state FOLDER  parent of the folder for records, images and sockets (default /var/tmp, which is a disk)`;

export interface BenchOptions {
  readonly runs: number;
  readonly subjects: readonly SubjectName[];
  /** Whether the start of `vmplug ls` is measured. */
  readonly ls: boolean;
  readonly json: string | undefined;
  readonly svg: string | undefined;
  readonly state: string;
}

/** Throws a TypeError that says what is wrong with the command line. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: '30' },
      only: { type: 'string' },
      json: { type: 'string' },
      svg: { type: 'string' },
      state: { type: 'string', default: '/var/tmp' },
    },
  });
  const runs = countOption('--runs', values.runs);
  const only = values.only?.split(',');
  const unknown = only?.find((name) => name !== 'ls' && !isSubject(name));
  if (unknown !== undefined) throw new TypeError(`--only ${unknown}: no such subject`);
  const chosen = only?.filter(isSubject) ?? subjectNames;
  const results = only === undefined ? 'bench/results/latest' : undefined;
  return {
    runs,
    subjects:
      chosen.length === 0 ? [] : subjectNames.filter((name) => name === 'floor' || chosen.includes(name)),
    ls: only === undefined || only.includes('ls'),
    json: values.json ?? (results && `${results}.json`),
    svg: values.svg ?? (results && `${results}.svg`),
    state: values.state,
  };
}

function isSubject(name: string): name is SubjectName {
  return subjectNames.some((known) => known === name);
}
