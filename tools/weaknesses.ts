import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Makes sure that `docs/v1-weaknesses.md` is true: each of the 98 is there once, with one of the three
 * verdicts, and each that is fixed has a test that carries its number.
 */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const row = /^\| (W\d+) \| [^|]+ \| ([^|]+) \| [^|]+ \|$/;
const verdicts = ['fixed', 'does not arise', 'kept'];

const table = readFileSync(join(root, 'docs/v1-weaknesses.md'), 'utf8');
const rows = table.split('\n').flatMap((line) => {
  const [, number = '', verdict = ''] = row.exec(line) ?? [];
  return number === '' ? [] : [{ number, verdict }];
});
const tests = ['src', 'lab', 'examples'].flatMap((folder) => testNames(join(root, folder)));
const problems = [
  ...(new Set(rows.map(({ number }) => number)).size === 98 ? [] : [`${rows.length} rows; there are 98`]),
  ...rows
    .filter(({ verdict }) => !verdicts.includes(verdict))
    .map(({ number, verdict }) => `${number}: "${verdict}" is none of ${verdicts.join(', ')}`),
  ...rows
    .filter(({ number, verdict }) => verdict === 'fixed' && !tests.some((name) => carries(name, number)))
    .map(({ number }) => `${number} is said to be fixed, and no test carries its number`),
];
for (const problem of problems) console.error(`docs/v1-weaknesses.md: ${problem}`);
if (problems.length > 0) process.exitCode = 1;

/** Whatever is quoted and carries a number: names of tests, and rows of `test.each`. */
function testNames(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.testing\.ts$|\.test\.ts$/.test(path))
    .flatMap((path) => readFileSync(join(folder, path), 'utf8').match(/['"`][^'"`\n]*\bW\d+[^\n]*/g) ?? []);
}

function carries(name: string, number: string): boolean {
  return new RegExp(`\\b${number}\\b`).test(name);
}
