import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sandboxRecord } from './records.testing.ts';
import { SqliteStore } from './sqlite-store.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-store-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true, force: true });
});

const names = (store: SqliteStore): string[] => store.read((tx) => tx.sandboxes().map(({ name }) => name));

/** How many transactions are committed from now on. */
function countCommits(): { readonly commits: number } {
  const exec = vi.spyOn(DatabaseSync.prototype, 'exec');
  return {
    get commits() {
      return exec.mock.calls.filter(([sql]) => sql === 'COMMIT').length;
    },
  };
}

test('what is written at about the same time shares one commit, in order, and each is told its own result', async () => {
  using store = SqliteStore.open(directory);
  const counted = countCommits();
  const results = await Promise.all(
    Array.from({ length: 64 }, (_, index) =>
      store.writeTogether((tx) => {
        tx.putSandbox(sandboxRecord(`vm${index}`));
        return tx.sandboxes().length;
      }),
    ),
  );
  expect(counted.commits).toBe(1);
  expect(results).toEqual(Array.from({ length: 64 }, (_, index) => index + 1));
  expect(names(store)).toHaveLength(64);
});

test('it is committed when the promise resolves, as another connection sees', async () => {
  using store = SqliteStore.open(directory);
  const written = store.writeTogether((tx) => tx.putSandbox(sandboxRecord('a')));
  using other = SqliteStore.open(directory);
  expect(names(other)).toEqual([]);
  await written;
  expect(names(other)).toEqual(['a']);
});

test('one that throws changes nothing and leaves the others as they are', async () => {
  using store = SqliteStore.open(directory);
  const fails = (name: string): Promise<void> =>
    store.writeTogether((tx) => {
      tx.putSandbox(sandboxRecord(name));
      throw new Error(`not ${name}`);
    });
  const results = await Promise.allSettled([
    store.writeTogether((tx) => tx.putSandbox(sandboxRecord('a'))),
    fails('b'),
    store.writeTogether((tx) => tx.putSandbox(sandboxRecord('c'))),
    fails('d'),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
  expect(results[1]).toMatchObject({ reason: { message: 'not b' } });
  expect(names(store)).toEqual(['a', 'c']);
  await expect(fails('alone')).rejects.toThrow('not alone');
  expect(names(store)).toEqual(['a', 'c']);
});

test("what SQLite itself refuses is that one's typed error", async () => {
  using store = SqliteStore.open(directory);
  const [good, bad] = await Promise.allSettled([
    store.writeTogether((tx) => tx.putSandbox(sandboxRecord('a'))),
    // No such sandbox: the foreign key is refused.
    store.writeTogether((tx) => tx.putV1State('none', '{}')),
  ]);
  expect(good.status).toBe('fulfilled');
  expect(bad).toMatchObject({ reason: { code: 'state-unavailable' } });
  expect(names(store)).toEqual(['a']);
});

test('when the commit fails, all are told, and nothing is there', async () => {
  using store = SqliteStore.open(directory);
  // oxlint-disable-next-line typescript/unbound-method -- it is called with its own `this`
  const exec = DatabaseSync.prototype.exec;
  vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, sql) {
    if (sql !== 'COMMIT') return exec.call(this, sql);
    // As SQLite's own answer when the disk is full.
    throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 });
  });
  const results = await Promise.allSettled(
    ['a', 'b'].map((name) => store.writeTogether((tx) => tx.putSandbox(sandboxRecord(name)))),
  );
  expect(results).toMatchObject([
    { reason: { code: 'state-unavailable' } },
    { reason: { code: 'state-unavailable' } },
  ]);
  vi.restoreAllMocks();
  expect(names(store)).toEqual([]);
});

test('a store that is closed commits first what it has gathered', async () => {
  let written: Promise<void>;
  {
    using store = SqliteStore.open(directory);
    written = store.writeTogether((tx) => tx.putSandbox(sandboxRecord('a')));
  }
  await written;
  using store = SqliteStore.open(directory);
  expect(names(store)).toEqual(['a']);
});

test('several connections, and plain writes in between: all that was said to be written is there', async () => {
  using one = SqliteStore.open(directory);
  using two = SqliteStore.open(directory);
  const written = [one, two, one, two].map((store, index) =>
    store.writeTogether((tx) => tx.putSandbox(sandboxRecord(`together${index}`))),
  );
  one.write((tx) => tx.putSandbox(sandboxRecord('plain')));
  two.writeSoon((tx) => tx.putSandbox(sandboxRecord('soon')));
  await Promise.all(written);
  expect(names(one)).toHaveLength(6);
});
