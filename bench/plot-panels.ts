import type { Results, Series } from './results.ts';
import { wanted } from './goals.ts';
import { stages, stageTitles, subjectTitles, type Stage, type SubjectName } from './stages.ts';

export interface Bar {
  readonly title: string;
  /** Class of its colour. */
  readonly colour: 'floor' | 'own' | 'peer';
  readonly median: number;
  readonly p95: number;
  /** As a multiple of the panel's first bar; missing on that bar itself. */
  readonly ratio?: number;
}

/** Bars that share a scale; the first is what the others are compared with. */
export interface Panel {
  readonly title: string;
  /** What `ratio` is a multiple of, for people. */
  readonly base: string;
  readonly bars: readonly Bar[];
  /** Milliseconds that the goal allows. */
  readonly limit?: { readonly at: number; readonly words: string };
}

/**
 * A panel for each stage, and one for whole processes. The command line is among the
 * processes: its bar would make all others short.
 */
export function panelsOf(results: Results): Panel[] {
  return [...stages.flatMap((stage) => stagePanel(results, stage)), ...processPanel(results)];
}

function stagePanel({ measurements }: Results, stage: Stage): Panel[] {
  const rows = measurements.filter((row) => row.stage === stage && row.subject !== 'cli');
  const base = rows.find(({ subject }) => subject === 'floor')?.median;
  if (base === undefined) return [];
  const goal = wanted.find((one) => one.stage === stage && one.base === 'floor');
  return [
    {
      title: capital(stageTitles[stage]),
      base: 'by hand',
      bars: rows.map((row) => bar(subjectTitles[row.subject], colours[row.subject], row, base)),
      ...(goal === undefined
        ? {}
        : { limit: { at: base * goal.limit, words: `goal of the library: ${goal.limit} × by hand` } }),
    },
  ];
}

function processPanel({ processes, measurements }: Results): Panel[] {
  const cli = measurements.filter(({ subject }) => subject === 'cli');
  if (processes === undefined) return [];
  const base = processes.node.median;
  return [
    {
      title: 'A whole process of vmplug’s command line, from its start to its end',
      base: 'node -e 0',
      bars: [
        bar('node -e 0', 'floor', processes.node, base),
        bar('ls', 'own', processes.ls, base),
        ...cli.map((row) => bar(verbs[row.stage], 'own', row, base)),
      ],
    },
  ];
}

function bar(title: string, colour: Bar['colour'], { median, p95 }: Series, base: number): Bar {
  return { title, colour, median, p95, ...(median === base ? {} : { ratio: median / base }) };
}

function capital(words: string): string {
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

const colours: Readonly<Record<SubjectName, Bar['colour']>> = {
  floor: 'floor',
  library: 'own',
  cli: 'own',
  libvirt: 'peer',
};

const verbs: Readonly<Record<Stage, string>> = {
  'attach-acknowledged': 'attach --wait acknowledged',
  'attach-live': 'attach',
  detach: 'detach',
};
