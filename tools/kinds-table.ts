import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { notRun } from './kinds/not-run.ts';
import { differences, kindsTable, withTable } from './kinds/render.ts';
import { kindRows, type KindRow } from './kinds/rows.ts';
import { parseSeen, seenFile } from './kinds/seen-file.ts';

/**
 * Writes the README's table of kinds anew from what the tests saw (`.results/seen.json`), and its data into
 * `docs/kinds.json`; `--check` fails with what the table says and the tests did not see.
 */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [readme, data] = [join(root, 'README.md'), join(root, 'docs/kinds.json')];
const text = z.string();
const shape: z.ZodType<KindRow[]> = z.array(
  z.object({
    kind: text,
    hotPlug: text,
    coldPlug: text,
    unplug: text,
    evidence: text,
    address: text,
    machines: text,
  }),
);

const rows = kindRows(Object.values(parseSeen(readFileSync(seenFile, 'utf8'))).flat(), notRun);
const page = readFileSync(readme, 'utf8');
if (process.argv.includes('--check')) {
  const said = shape.parse(JSON.parse(readFileSync(data, 'utf8')));
  const wrong = differences(said, rows);
  if (withTable(page, kindsTable(said)) !== page) wrong.push('README.md and docs/kinds.json are not alike');
  if (wrong.length > 0) {
    console.error(`the README's table of kinds is not what the tests saw:\n  ${wrong.join('\n  ')}`);
    console.error('after a whole run: node tools/kinds-table.ts');
    process.exitCode = 1;
  }
} else {
  writeFileSync(data, `${JSON.stringify(rows, undefined, 2)}\n`);
  writeFileSync(readme, withTable(page, kindsTable(rows)));
}
