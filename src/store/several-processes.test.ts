import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sandboxRecord } from './records.testing.ts';
import { SqliteStore } from './sqlite-store.ts';
import { storeFile } from './state-file.ts';

let directory: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-store-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

interface Hammer {
  readonly child: ChildProcess;
  /** What it said so far, whole lines only. */
  readonly lines: () => string[];
  readonly ended: Promise<unknown>;
}

function hammer(name: string, rounds: number): Hammer {
  return start('hammer.testing.ts', name, rounds);
}

function start(program: string, name: string, rounds: number): Hammer {
  const child = spawn(process.execPath, [join(import.meta.dirname, program), directory, name, `${rounds}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  return { child, lines: () => text.split('\n').slice(0, -1), ended: once(child, 'close') };
}

/** The devices that a process had when it last said something. */
function heldBy(lines: readonly string[]): string[] {
  const held = new Set<string>();
  for (const line of lines) {
    if (line.startsWith('+ ')) held.add(line.slice(2));
    if (line.startsWith('- ')) held.delete(line.slice(2));
  }
  return [...held];
}

function prepare(): void {
  using store = SqliteStore.open(directory);
  store.write((tx) => {
    for (const name of ['shared', 'one', 'two', 'three']) tx.putSandbox(sandboxRecord(name));
  });
}

/** What must hold in the database, whoever wrote and died. */
function expectConsistent(): void {
  const db = new DatabaseSync(storeFile(directory));
  expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
  expect(db.prepare('PRAGMA foreign_key_check').all()).toEqual([]);
  const twice = "SELECT key FROM claims WHERE mode = 'exclusive' GROUP BY key HAVING count(*) > 1";
  expect(db.prepare(twice).all()).toEqual([]);
  const without = `SELECT id FROM attachments
    WHERE id NOT IN (SELECT device FROM places) OR id NOT IN (SELECT device FROM claims)`;
  expect(db.prepare(without).all(), 'devices without a place or a claim').toEqual([]);
  db.close();
}

test('hard rule 9: two processes never get the same place or exclusive claim, and lose no write', async () => {
  prepare();
  const hammers = [hammer('one', 400), hammer('two', 400)];
  for (const { lines } of hammers)
    await expect.poll(() => lines(), { timeout: 15_000, interval: 5 }).toEqual(['ready']);
  for (const { child } of hammers) child.stdin?.end('go');
  for (const { ended } of hammers) expect(await ended).toEqual([0, null]);
  // One of them may win all the time; together they must have got somewhere.
  expect(hammers.flatMap(({ lines }) => lines()).length).toBeGreaterThan(20);
  expectConsistent();
  using store = SqliteStore.open(directory);
  const present = store.read((tx) => tx.attachments().map(({ id }) => id));
  expect(present.sort()).toEqual(hammers.flatMap(({ lines }) => heldBy(lines())).sort());
});

test('several that open a new state at once: one makes it, and all can use it, every time', async () => {
  const rounds = 200;
  const openers = ['one', 'two', 'three', 'four'].map((name) => start('open-new.testing.ts', name, rounds));
  for (const { lines } of openers)
    await expect.poll(() => lines(), { timeout: 15_000, interval: 5 }).toEqual(['ready']);
  for (const { child } of openers) child.stdin?.end('go');
  for (const { ended } of openers) expect(await ended).toEqual([0, null]);
  for (const { lines } of openers) expect(lines()).toEqual(['ready']);
  for (let round = 0; round < rounds; round += 20) {
    using store = SqliteStore.open(join(directory, `${round}`));
    const names = store.read((tx) => tx.sandboxes().map(({ name }) => name));
    expect(names).toEqual(['four', 'one', 'three', 'two']);
  }
});

test('W90, W106: a process killed while it writes leaves a whole state with everything that it had committed', async () => {
  prepare();
  for (let kill = 1; kill <= 5; kill += 1) {
    const { child, lines, ended } = hammer('one', 0);
    child.stdin?.end('go');
    await expect.poll(() => lines().length, { timeout: 15_000, interval: 5 }).toBeGreaterThan(kill * 7);
    child.kill('SIGKILL');
    await ended;
    expectConsistent();
    using store = SqliteStore.open(directory);
    const present = new Set(store.read((tx) => tx.attachments().map(({ id }) => id)));
    const said = heldBy(lines());
    // The transaction after the last word may have been committed too: one device more, or one less.
    expect(said.filter((id) => !present.has(id)).length).toBeLessThanOrEqual(1);
    expect([...present].filter((id) => !said.includes(id)).length).toBeLessThanOrEqual(1);
    store.write((tx) => {
      for (const { id } of tx.attachments()) tx.deleteAttachment(id);
    });
  }
});
