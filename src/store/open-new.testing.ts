/**
 * Opens one new state after the other, as fast as it can, and writes a sandbox into some:
 * `open-new.testing.ts DIRECTORY NAME ROUNDS`. Says `ready` and waits for input before the first,
 * and then one line for each that failed.
 */
import { readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { sandboxRecord } from './records.testing.ts';
import { SqliteStore } from './sqlite-store.ts';

const [directory = '', name = '', rounds = '0'] = process.argv.slice(2);
writeSync(1, 'ready\n');
readSync(0, Buffer.alloc(1));
for (let round = 0; round < Number(rounds); round += 1) {
  try {
    using store = SqliteStore.open(join(directory, `${round}`));
    // Seldom, because waiting for one another's writes sets the processes apart.
    if (round % 20 === 0) store.write((tx) => tx.putSandbox(sandboxRecord(name)));
  } catch (error) {
    writeSync(1, `${round}: ${String(error)}\n`);
  }
}
