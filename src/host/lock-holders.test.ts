import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { lockHolders } from './lock-holders.ts';

test('who has an SQLite database in WAL mode open holds a lock on it, until it is closed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vmplug-locks-'));
  try {
    const [file, other] = [join(directory, 'db'), join(directory, 'other')];
    writeFileSync(other, '');
    const db = new DatabaseSync(file);
    db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (a)');
    expect(lockHolders(file)).toEqual([process.pid]);
    expect(lockHolders(other)).toEqual([]);
    db.close();
    expect(lockHolders(file)).toEqual([]);
    expect(lockHolders(join(directory, 'none'))).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
