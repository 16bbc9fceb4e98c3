import type { Results } from './results.ts';
import { stages, stageTitles, subjectTitles } from './stages.ts';

/** The results as text. */
export function tableOf(results: Results): string {
  return [
    ...stageTables(results),
    ...processTable(results),
    ...goalTable(results),
    ...absentLines(results),
  ].join('\n');
}

function stageTables({ measurements }: Results): string[] {
  return stages.flatMap((stage) => {
    const rows = measurements.filter((row) => row.stage === stage);
    if (rows.length === 0) return [];
    const of = (subject: string): number | undefined => rows.find((row) => row.subject === subject)?.median;
    return [
      heading(stageTitles[stage], 'median', 'p95', '× floor', '× libvirt'),
      ...rows.map(({ subject, median, p95 }) =>
        line(
          `  ${subjectTitles[subject]}`,
          ms(median),
          ms(p95),
          times(median, of('floor')),
          times(median, of('libvirt')),
        ),
      ),
      '',
    ];
  });
}

function processTable({ processes }: Results): string[] {
  if (processes === undefined) return [];
  const { node, ls } = processes;
  return [
    heading('a whole process', 'median', 'p95', '× node'),
    line('  node -e 0', ms(node.median), ms(node.p95), times(node.median, node.median)),
    line('  vmplug ls', ms(ls.median), ms(ls.p95), times(ls.median, node.median)),
    '',
  ];
}

function goalTable({ goals }: Results): string[] {
  if (goals.length === 0) return [];
  return [
    heading('goal (the library, where nothing else is said)', 'at most', 'is', '95 % between', ''),
    ...goals.map(({ goal, limit, ratio, low, high, met }) =>
      line(
        `  ${goal}`,
        limit.toFixed(2),
        ratio.toFixed(2),
        `${low.toFixed(2)}–${high.toFixed(2)}`,
        met ? 'met' : 'missed',
      ),
    ),
  ];
}

function absentLines({ absent }: Results): string[] {
  return absent.flatMap(({ subject, reason, hint }) => [
    '',
    `not measured: ${subjectTitles[subject]}: ${reason}`,
    `  → ${hint}`,
  ]);
}

const heading = line;

function line(first: string, ...rest: string[]): string {
  return [first.padEnd(56), ...rest.map((cell) => cell.padStart(13))].join('').trimEnd();
}

function ms(value: number): string {
  return `${value.toFixed(value < 100 ? 2 : 1)} ms`;
}

function times(value: number, base: number | undefined): string {
  return base === undefined ? '-' : (value / base).toFixed(2);
}
