/** Writes sandboxes until the store says no: `fill.testing.ts DIRECTORY`. Prints how many were committed. */
import { VmplugError } from '../api/errors.ts';
import { sandboxRecord } from './records.testing.ts';
import { SqliteStore } from './sqlite-store.ts';

using store = SqliteStore.open(process.argv[2] ?? '');
let committed = 0;
let code = 'none';
try {
  for (; committed < 10_000; committed += 1) {
    store.write((tx) => tx.putSandbox({ ...sandboxRecord(`vm${committed}`), socket: 'x'.repeat(2000) }));
  }
} catch (error) {
  code = error instanceof VmplugError ? error.code : String(error);
}
process.stdout.write(JSON.stringify({ committed, code }));
