import type { KindRow } from './rows.ts';

const begin = '<!-- kinds -->';
const end = '<!-- /kinds -->';
const heads: readonly [keyof KindRow, string][] = [
  ['kind', 'plugged as'],
  ['hotPlug', 'hot-plug'],
  ['coldPlug', 'cold-plug'],
  ['unplug', 'unplug'],
  ['evidence', 'best evidence'],
  ['address', 'guest address'],
  ['machines', 'machines (QEMU)'],
];

/** The rows as a Markdown table, as prettier leaves it. */
export function kindsTable(rows: readonly KindRow[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(heads.map(([, head]) => head)),
    `|${heads.map(() => '---').join('|')}|`,
    ...rows.map((row) => line(heads.map(([key]) => row[key].replaceAll('|', '\\|').replaceAll('\n', ' ')))),
  ].join('\n');
}

/**
 * A page with the table between its markers.
 *
 * @throws Error when it has no markers
 */
export function withTable(page: string, table: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`the page has no ${begin} and ${end}`);
  return `${page.slice(0, from)}${begin}\n\n${table}\n\n${page.slice(to)}`;
}

/** What two tables differ in: a line for each cell, the page's words first. */
export function differences(page: readonly KindRow[], seen: readonly KindRow[]): string[] {
  const kinds = new Set([...page, ...seen].map(({ kind }) => kind));
  return [...kinds].flatMap((kind) => {
    const [ours, theirs] = [page, seen].map((rows) => rows.find((row) => row.kind === kind));
    if (ours === undefined) return [`${kind}: seen, and not in the table`];
    if (theirs === undefined) return [`${kind}: in the table, and nothing of it was seen`];
    return heads
      .filter(([key]) => ours[key] !== theirs[key])
      .map(
        ([key, head]) => `${kind}, ${head}: the table says "${ours[key]}", the tests saw "${theirs[key]}"`,
      );
  });
}
