import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Makes sure that the tables that name tests are true: every case of `docs/v1-cases.md` is the beginning of a
 * test's name; in `docs/v1-weaknesses.md` each of the 98 is there once, with one of three verdicts, and
 * each that is fixed has a test that carries its number; every trap of `docs/traps.md` and every promise of
 * `docs/reliability.md` has tests whose names begin as its row says.
 */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const weaknesses = 98;
const verdicts = ['fixed', 'does not arise', 'kept'];
const tests = ['src', 'lab', 'examples'].flatMap((folder) => testsIn(join(root, folder)));
/** Whatever is quoted and carries a number: names of tests, and rows of `test.each`. */
const names = tests.flatMap((text) => text.match(/['"`][^'"`\n]*(?:\bW\d+|\b7\.\d )[^\n]*/g) ?? []);

const cases = table('v1-cases.md', /^\| (7\.\d [^|]+?) \|/);
const rows = table('v1-weaknesses.md', /^\| (W\d+ \| [^|]+ \| [^|]+) \|/).map((row) => row.split(' | '));
const problems = [
  ...cases
    .filter((name) => !names.some((each) => each.includes(name)))
    .map((name) => `docs/v1-cases.md: no test is called "${name}…"`),
  ...(new Set(rows.map(([number]) => number)).size === weaknesses
    ? []
    : [`docs/v1-weaknesses.md: ${rows.length} rows; there are ${weaknesses}`]),
  ...rows.flatMap(([number = '', , verdict = '']) => {
    if (!verdicts.includes(verdict)) return [`${number}: "${verdict}" is none of ${verdicts.join(', ')}`];
    const hasTest = names.some((name) => new RegExp(`\\b${number}\\b`).test(name));
    return verdict === 'fixed' && !hasTest
      ? [`${number} is said to be fixed, and no test has its number`]
      : [];
  }),
  ...['traps.md', 'reliability.md'].flatMap((file) =>
    table(file, /^\| (?!(?:trap|promise|what happens) \|)(.+ \| .+ \| .+) \|$/).flatMap((row) => {
      const beginnings = row.split(' | ').at(-1)?.split('; ') ?? [];
      return beginnings
        .filter((name) => !isTest(name))
        .map((name) => `docs/${file}: no test begins "${name}"`);
    }),
  ),
];
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;

function table(file: string, row: RegExp): string[] {
  const lines = readFileSync(join(root, 'docs', file), 'utf8').split('\n');
  return lines.flatMap((line) => row.exec(line)?.[1] ?? []);
}

/** Whether a test's name begins so: what is quoted first after a bracket. */
function isTest(beginning: string): boolean {
  const name = new RegExp(`\\(\\s*['"\`]${RegExp.escape(beginning)}`);
  return tests.some((text) => name.test(text));
}

/** The texts of the tests in a folder. */
function testsIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.testing\.ts$|\.test\.ts$/.test(path))
    .map((path) => readFileSync(join(folder, path), 'utf8'));
}
