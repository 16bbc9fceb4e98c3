/**
 * Takes and frees places and an exclusive claim as fast as it can: `hammer.testing.ts DIRECTORY NAME ROUNDS`.
 * Prints a line for each transaction that has committed, and says `ready` first and waits for input;
 * with ROUNDS 0 it never ends.
 */
import { randomBytes } from 'node:crypto';
import { readSync, writeSync } from 'node:fs';
import { hasCode } from '../api/errors.ts';
import { attachmentRecord } from './records.testing.ts';
import { SqliteStore } from './sqlite-store.ts';

const [directory = '', sandbox = '', rounds = '0'] = process.argv.slice(2);
const last = rounds === '0' ? Number.POSITIVE_INFINITY : Number(rounds);
using store = SqliteStore.open(directory);
const mine: string[] = [];
say('ready');
readSync(0, Buffer.alloc(1));
for (let round = 1; round <= last; round += 1) {
  const id = randomBytes(8).toString('hex');
  try {
    store.write((tx) => {
      tx.putAttachment(attachmentRecord(id, sandbox));
      const taken = tx.takenPlaces('shared');
      const free = ['p0', 'p1', 'p2', 'p3'].find((place) => !taken.has(place)) ?? 'p0';
      tx.takePlace('shared', free, id);
      tx.claim([{ key: `disk${round % 3}`, mode: 'exclusive' }], id, sandbox);
    });
    mine.push(id);
    say(`+ ${id}`);
  } catch (error) {
    if (!hasCode(error, 'no-free-place', 'claimed-elsewhere', 'already-attached')) throw error;
    free();
  }
}
// The last one is kept, to be found by whoever looks; the others may be wanted by a slower process.
while (mine.length > 1) free();

function free(): void {
  const oldest = mine.shift();
  if (oldest === undefined) return;
  store.write((tx) => tx.deleteAttachment(oldest));
  say(`- ${oldest}`);
}

/** At once and whole, so that what was said is what a killed process had committed. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}
