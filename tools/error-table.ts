import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorTable } from './error-table/render.ts';

/** Writes `docs/errors.md` anew from the table of codes; `--check` only says whether it is current. */
const file = join(dirname(dirname(fileURLToPath(import.meta.url))), 'docs/errors.md');
if (process.argv.includes('--check')) {
  if (readFileSync(file, 'utf8') !== errorTable()) {
    console.error('docs/errors.md is not current: node tools/error-table.ts');
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, errorTable());
}
