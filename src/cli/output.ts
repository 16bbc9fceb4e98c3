import { styleText } from 'node:util';
import { visible } from '../api/visible.ts';

/** The version of the documents that `--json` prints; fields are added, never changed or removed. */
const schemaVersion = 1;

/** Prints the one document of a command. Integers beyond 2^53 are printed as text. */
export function printJson(type: string, body: object): void {
  const document = { schemaVersion, type, ...body };
  const text = JSON.stringify(
    document,
    (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value),
    2,
  );
  process.stdout.write(`${text}\n`);
}

/** Prints lines for people; what could upset a terminal is escaped. */
export function print(lines: string): void {
  process.stdout.write(`${lines.split('\n').map(visible).join('\n')}\n`);
}

/** Says what is being done, on a terminal only. */
export function progress(text: string): void {
  if (process.stderr.isTTY)
    process.stderr.write(`${styleText('dim', `… ${text}`, { stream: process.stderr })}\n`);
}

/** Says on stderr what should be known, terminal or not. */
export function note(text: string): void {
  process.stderr.write(`vmplug: ${text}\n`);
}

/** Prints columns as wide as their longest cell, two spaces apart; text that could upset a terminal is escaped. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const cells = [head, ...rows.map((row) => row.map(printable))];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  const [first = '', ...rest] = lines;
  process.stdout.write(`${[styleText('bold', first), ...rest].join('\n')}\n`);
}

/** Text on one line: control characters are escaped. */
export function printable(text: string): string {
  return visible(text) === text ? text : visible(JSON.stringify(text));
}

/** `64 MiB`, `512 B` */
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toFixed(1))} ${units[unit]}`;
}
