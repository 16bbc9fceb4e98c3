import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { attachmentRecord, sandboxRecord } from './records.testing.ts';
import { migrations } from './schema.ts';
import { SqliteStore } from './sqlite-store.ts';
import { storeFile } from './state-file.ts';
import { unprivileged } from '../host/unprivileged.testing.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-store-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('opening makes the directory, for its owner only; looking for one makes nothing', () => {
  const state = join(directory, 'deep', 'state');
  expect(SqliteStore.openExisting(state)).toBeUndefined();
  expect(existsSync(state)).toBe(false);
  SqliteStore.open(state)[Symbol.dispose]();
  expect(statSync(state).mode & 0o777).toBe(0o700);
  using store = SqliteStore.openExisting(state);
  expect(store?.read((tx) => tx.sandboxes())).toEqual([]);
});

test('a state of the first version is brought to the present one, with all that was in it', () => {
  const old = new DatabaseSync(storeFile(directory));
  old.exec(migrations[0] ?? '');
  old.exec('PRAGMA user_version = 1');
  for (const state of ['attached', 'attaching']) {
    const record = { ...attachmentRecord(state, 'vm1'), state };
    if (state === 'attached') {
      old.prepare('INSERT INTO sandboxes VALUES (?, ?)').run('vm1', JSON.stringify(sandboxRecord('vm1')));
    }
    old
      .prepare('INSERT INTO attachments (id, sandbox, record) VALUES (?, ?, ?)')
      .run(state, 'vm1', JSON.stringify(record));
    old.prepare('INSERT INTO claims VALUES (?, ?, ?, ?)').run(`k-${state}`, state, 'vm1', 'exclusive');
    old.prepare('INSERT INTO places VALUES (?, ?, ?)').run('vm1', `p-${state}`, state);
  }
  old.close();
  using store = SqliteStore.open(directory);
  store.write((tx) => {
    expect(tx.sandboxes()).toEqual([sandboxRecord('vm1')]);
    expect(tx.attachments('vm1').map(({ id }) => id)).toEqual(['attached', 'attaching']);
    expect(tx.unsettledAttachments('vm1').map(({ id }) => id)).toEqual(['attaching']);
    expect([...tx.takenPlaces('vm1')]).toEqual(['p-attached', 'p-attaching']);
    expect(tx.holders('k-attached')).toHaveLength(1);
    expect(tx.managedDevices('vm1')).toEqual([]);
    tx.putV1State('vm1', '{}');
  });
});

test('W98: a state of a newer version is refused, and its file is not touched', () => {
  SqliteStore.open(directory)[Symbol.dispose]();
  const db = new DatabaseSync(storeFile(directory));
  db.exec('PRAGMA user_version = 999; PRAGMA journal_mode = DELETE');
  db.close();
  const before = readFileSync(storeFile(directory));
  expect(() => SqliteStore.open(directory)).toThrow(
    expect.objectContaining({ code: 'state-too-new', facts: expect.objectContaining({ found: 999 }) }),
  );
  expect(readFileSync(storeFile(directory)).equals(before)).toBe(true);
  expect(readdirSync(directory)).toEqual(['vmplug.db']);
});

test('W96: what is not a state is refused, never taken for a new one, and left as it is', () => {
  writeFileSync(
    storeFile(directory),
    'this is not a database, and it is longer than a header of one: '.repeat(40),
  );
  const before = readFileSync(storeFile(directory));
  expect(() => SqliteStore.open(directory)).toThrow(
    expect.objectContaining({ code: 'state-unavailable', reason: 'the file is not a vmplug state' }),
  );
  expect(readFileSync(storeFile(directory)).equals(before)).toBe(true);
});

test('W96: a damaged state is an error that says so', () => {
  {
    using store = SqliteStore.open(directory);
    store.write((tx) => {
      for (let index = 0; index < 500; index += 1) tx.putSandbox(sandboxRecord(`vm${index}`));
    });
  }
  const bytes = readFileSync(storeFile(directory));
  writeFileSync(storeFile(directory), bytes.fill(0xff, 4096));
  expect(() => {
    using store = SqliteStore.open(directory);
    store.read((tx) => tx.sandboxes());
  }).toThrow(expect.objectContaining({ code: 'state-damaged', subject: storeFile(directory) }));
});

test('a database of another program is not taken over', () => {
  const db = new DatabaseSync(storeFile(directory));
  db.exec('CREATE TABLE theirs (a)');
  db.close();
  expect(() => SqliteStore.open(directory)).toThrow(expect.objectContaining({ code: 'state-unavailable' }));
  const after = new DatabaseSync(storeFile(directory));
  expect(after.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()).toEqual([
    { name: 'theirs' },
  ]);
  after.close();
});

test('a file where the directory should be', () => {
  writeFileSync(join(directory, 'state'), '');
  expect(() => SqliteStore.open(join(directory, 'state'))).toThrow(
    expect.objectContaining({ code: 'state-unavailable' }),
  );
});

test('a state that may only be read is an error when it is written, with what to do', async () => {
  SqliteStore.open(directory)[Symbol.dispose]();
  chmodSync(storeFile(directory), 0o400);
  chmodSync(directory, 0o500);
  try {
    await unprivileged([directory, storeFile(directory)], () =>
      expect(() => {
        using store = SqliteStore.open(directory);
        store.write((tx) => tx.putSandbox(sandboxRecord('a')));
      }).toThrow(expect.objectContaining({ code: 'state-unavailable' })),
    );
  } finally {
    chmodSync(directory, 0o700);
  }
});

test('W91: when the disk is full the write fails, and all that was there before stays', () => {
  mkdirSync(join(directory, 'state'));
  // A limit on the size of files stands in for the full disk: SQLite gets its error the same way.
  const fill = join(import.meta.dirname, 'fill.testing.ts');
  const run = spawnSync(
    'sh',
    ['-c', 'trap "" XFSZ; ulimit -f 400; exec "$0" "$@"', process.execPath, fill, join(directory, 'state')],
    { encoding: 'utf8' },
  );
  expect(run.stderr).not.toMatch(/Error:/);
  const { committed, code } = JSON.parse(run.stdout) as { committed: number; code: string };
  expect(code).toBe('state-unavailable');
  expect(committed).toBeGreaterThan(0);
  using store = SqliteStore.open(join(directory, 'state'));
  expect(store.read((tx) => tx.sandboxes())).toHaveLength(committed);
  store.write((tx) => tx.putSandbox(sandboxRecord('again')));
});
