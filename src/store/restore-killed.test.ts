import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { placeKey } from '../api/place.ts';
import { makeBackup } from './backup.ts';
import { attachmentRecord, sandboxRecord } from './records.testing.ts';
import { removeLeftRestores, restoreState } from './restore.ts';
import { SqliteStore } from './sqlite-store.ts';
import { checkState } from './state-check.ts';
import { storeFile } from './state-file.ts';

const page = 4096;
/** So many processes at once; each is killed one step later than the one before. */
const together = 4;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'vmplug-store-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function put(store: SqliteStore, ids: readonly string[]): void {
  store.write((tx) => {
    for (const id of ids) {
      const record = attachmentRecord(id, 'vm');
      const place = { ...record.place, bus: `port of ${id}` };
      tx.putAttachment({ ...record, place });
      tx.claim(record.host.identities, id, 'vm');
      tx.takePlace('vm', placeKey(place), id);
    }
  });
}

/** A damaged state as a crash leaves it, with a log in which alone its newest rows are. */
function damagedState(): string {
  const [written, damaged] = [join(directory, 'written'), join(directory, 'damaged')];
  {
    using store = SqliteStore.open(written);
    store.write((tx) => tx.putSandbox(sandboxRecord('vm')));
    put(store, ['a', 'b']);
  }
  makeBackup(written);
  using store = SqliteStore.open(written);
  put(store, ['newest']);
  cpSync(written, damaged, { recursive: true });
  rmSync(`${storeFile(damaged)}-shm`);
  using db = new DatabaseSync(storeFile(written));
  const root = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'operations_of_device'").get();
  const number = Number(root?.['rootpage']);
  const bytes = readFileSync(storeFile(damaged));
  writeFileSync(storeFile(damaged), bytes.fill(0xa5, (number - 1) * page, number * page));
  return damaged;
}

function contents(stateDir: string): unknown {
  using store = SqliteStore.open(stateDir);
  return store.read((tx) => [
    tx.sandboxes(),
    tx.attachments(),
    tx.attachments().map(({ id }) => tx.holders(`file:1:${id}`)),
  ]);
}

/** Restores a copy of `damaged` in a process that is killed at `step`; where that is, or nothing if it came to its end. */
async function killedAt(damaged: string, step: number): Promise<string | undefined> {
  const copy = join(directory, `copy-${step}`);
  mkdirSync(copy);
  cpSync(damaged, copy, { recursive: true });
  const program = join(import.meta.dirname, 'killed-restore.testing.ts');
  const child = spawn(process.execPath, [program, copy, String(step)], { stdio: 'inherit' });
  const [code, signal] = await once(child, 'exit');
  if (code === 0) return undefined;
  expect({ code, signal }, `step ${step}`).toEqual({ code: null, signal: 'SIGKILL' });
  return copy;
}

test('a restore that is killed at any step: damaged and named again, or restored, and nothing is lost', async () => {
  const damaged = damagedState();
  const [file, log] = [storeFile(damaged), `${storeFile(damaged)}-wal`].map((path) => readFileSync(path));
  const whole = join(directory, 'whole');
  cpSync(damaged, whole, { recursive: true });
  restoreState(whole);
  const expected = contents(whole);
  expect(JSON.stringify(expected)).toContain('newest');
  const seen = { damaged: 0, restored: 0 };
  for (let first = 1; ; first += together) {
    const steps = Array.from({ length: together }, (_each, index) => first + index);
    const copies = await Promise.all(steps.map((step) => killedAt(damaged, step)));
    for (const copy of copies.flatMap((each) => each ?? [])) {
      const isDamaged = checkState(copy).length > 0;
      seen[isDamaged ? 'damaged' : 'restored'] += 1;
      if (isDamaged) restoreState(copy);
      else removeLeftRestores(copy);
      expect(checkState(copy), copy).toEqual([]);
      expect(
        readdirSync(copy).filter((name) => name.includes('restoring')),
        copy,
      ).toEqual([]);
      expect(contents(copy), copy).toEqual(expected);
      const asides = readdirSync(copy).filter((name) => /damaged-\d+$/.test(name));
      const kept = asides.filter(
        (name) =>
          readFileSync(join(copy, name)).equals(file ?? Buffer.of()) &&
          existsSync(join(copy, `${name}-wal`)) &&
          readFileSync(join(copy, `${name}-wal`)).equals(log ?? Buffer.of()),
      );
      expect(kept.length, copy).toBeGreaterThan(0);
      rmSync(copy, { recursive: true });
    }
    if (copies.includes(undefined)) break;
  }
  expect(seen.damaged).toBeGreaterThan(10);
  expect(seen.restored).toBeGreaterThan(0);
}, 120_000);
