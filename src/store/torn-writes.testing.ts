import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { SqliteStore } from './sqlite-store.ts';
import { checkState } from './state-check.ts';
import { storeFile } from './state-file.ts';

/** What is cut off here is cut off by hand: the disk's own speed would only be in the way. */
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

const walHeader = 32;
const frameHeader = 24;

/** The files that a killed writer left, and what they are when they are opened changed. */
export class TornState implements Disposable {
  readonly #directory = mkdtempSync(join(memory, 'vmplug-torn-'));
  readonly db: Buffer;
  readonly wal: Buffer;

  constructor(...options: readonly 'checkpointed'[]) {
    const written = join(this.#directory, 'written');
    const program = join(import.meta.dirname, 'killed-writer.testing.ts');
    const { signal, stderr } = spawnSync(process.execPath, [program, written, ...options], {
      encoding: 'utf8',
    });
    expect(signal, stderr).toBe('SIGKILL');
    this.db = readFileSync(storeFile(written));
    this.wal = readFileSync(`${storeFile(written)}-wal`);
  }

  /** Where the frames of the last transaction begin in the log (https://sqlite.org/fileformat2.html#walformat). */
  get lastTransaction(): number {
    const frame = frameHeader + this.wal.readUInt32BE(8);
    const commits: number[] = [];
    for (let at = walHeader; at < this.wal.length; at += frame) {
      if (this.wal.readUInt32BE(at + 4) !== 0) commits.push(at + frame);
    }
    expect(commits.at(-1), 'the end of the last transaction').toBe(this.wal.length);
    return commits.at(-2) ?? expect.fail('there is only one transaction');
  }

  /** Opens these files, and tells what is in them; that they are sound in themselves is seen as well, if `isChecked`. */
  open(db: Buffer, wal: Buffer, isChecked = true): ReturnType<typeof snapshot> {
    const copy = join(this.#directory, 'copy');
    rmSync(copy, { recursive: true, force: true });
    mkdirSync(copy);
    writeFileSync(storeFile(copy), db);
    writeFileSync(`${storeFile(copy)}-wal`, wal);
    using store = SqliteStore.open(copy);
    const seen = snapshot(store);
    if (isChecked) expect(checkState(copy)).toEqual([]);
    return seen;
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Everything that the writer wrote, as it is found. */
function snapshot(store: SqliteStore): {
  devices: string[];
  holders: string[];
  places: string[];
  operations: string[];
} {
  return store.read((tx) => ({
    devices: tx.attachments('vm').map(({ id }) => id),
    holders: ['a', 'b', 'c'].flatMap((id) => tx.holders(`file:1:${id}`).map(({ device }) => device)),
    places: [...tx.takenPlaces('vm')],
    operations: tx.operations({ sandbox: 'vm' }).map(({ id }) => id),
  }));
}

/** What is there without the last transaction, and with it. */
export const before = {
  devices: ['a', 'b'],
  holders: ['a', 'b'],
  places: ['place of a', 'place of b'],
  operations: ['op-a', 'op-b'],
};
export const after = {
  devices: ['b', 'c'],
  holders: ['b', 'c'],
  places: ['place of b', 'place of c'],
  operations: ['op-a', 'op-b', 'op-c'],
};
