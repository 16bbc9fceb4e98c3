import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { VmplugError } from '../api/errors.ts';
import { copyOut } from './backup.ts';
import { makeDirectories } from './make-directories.ts';
import { migrations } from './schema.ts';
import { damaged, faultBefore, stateError, transactionError } from './sqlite-errors.ts';
import { SharedCommit, type Part } from './shared-commit.ts';
import { whenNotBusy } from './when-not-busy.ts';
import { storeFile } from './state-file.ts';
import { SqliteTransaction } from './sqlite-transaction.ts';
import type { Claims, Store, Transaction } from './store.ts';

/** Milliseconds for which a writer waits for another process's transaction. */
const busyTimeoutMs = 10_000;

/**
 * The store in SQLite: WAL, `synchronous=FULL`, so that a commit is on disk when it returns.
 * Writes take the write lock at their start (`BEGIN IMMEDIATE`): what was read in a
 * transaction is still true when it commits.
 */
export class SqliteStore implements Store {
  readonly #db: DatabaseSync;
  readonly #tx: SqliteTransaction;
  readonly #file: string;
  readonly #together = new SharedCommit((parts) => this.#commitTogether(parts));

  private constructor(db: DatabaseSync, file: string) {
    this.#db = db;
    this.#file = file;
    this.#tx = new SqliteTransaction(db);
  }

  /**
   * Opens the store of a state directory, making both where they are missing.
   * @throws VmplugError `state-unavailable`, `state-damaged`; `state-too-new` when a newer vmplug wrote it
   */
  static open(stateDir: string): SqliteStore {
    const file = storeFile(stateDir);
    let db: DatabaseSync | undefined;
    try {
      if (!existsSync(file)) makeDirectories(stateDir, 0o700);
      const fault = faultBefore(file);
      if (fault !== undefined) throw damaged(fault, 'open the state', file);
      const opened = new DatabaseSync(file, { timeout: busyTimeoutMs });
      db = opened;
      opened.exec(
        'PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON',
      );
      whenNotBusy(busyTimeoutMs, () => migrate(opened, file));
      return new SqliteStore(opened, file);
    } catch (error) {
      db?.close();
      throw stateError(error, 'open the state', file);
    }
  }

  /** Opens the store if there is one; makes nothing. */
  static openExisting(stateDir: string): SqliteStore | undefined {
    return existsSync(storeFile(stateDir)) ? SqliteStore.open(stateDir) : undefined;
  }

  write<T>(work: (tx: Transaction & Claims) => T): T {
    return this.#transaction('BEGIN IMMEDIATE', 'write the state', work);
  }

  writeSoon<T>(work: (tx: Transaction & Claims) => T): T {
    // In WAL mode NORMAL leaves the order of commits as it is: the next `write` brings this one to disk too.
    if (!this.#db.isOpen) throw closed('write the state', this.#file);
    this.#db.exec('PRAGMA synchronous = NORMAL');
    try {
      return this.write(work);
    } finally {
      this.#db.exec('PRAGMA synchronous = FULL');
    }
  }

  writeTogether<T>(work: (tx: Transaction & Claims) => T): Promise<T> {
    return this.#together.add(work);
  }

  read<T>(work: (tx: Transaction & Claims) => T): T {
    return this.#transaction('BEGIN', 'read the state', work);
  }

  [Symbol.dispose](): void {
    if (!this.#db.isOpen) return;
    this.#together.flush();
    this.#db.close();
  }

  #commitTogether(parts: readonly Part[]): void {
    try {
      const isAlone = parts.length === 1;
      const ends = this.write((tx) => parts.map((part) => (isAlone ? part.run(tx) : this.#apart(part, tx))));
      for (const end of ends) end();
    } catch (error) {
      for (const part of parts) part.failed(error);
    }
  }

  /** One part of a shared transaction: when it throws, the others stay. */
  #apart(part: Part, tx: Transaction & Claims): () => void {
    this.#db.exec('SAVEPOINT part');
    try {
      const end = part.run(tx);
      this.#db.exec('RELEASE part');
      return end;
    } catch (error) {
      // On a full disk and the like SQLite rolls back the whole transaction by itself.
      if (!this.#db.isTransaction) throw error;
      this.#db.exec('ROLLBACK TO part; RELEASE part');
      const known = transactionError(error, 'write the state', this.#file);
      return () => part.failed(known);
    }
  }

  #transaction<T>(begin: string, action: string, work: (tx: Transaction & Claims) => T): T {
    if (!this.#db.isOpen) throw closed(action, this.#file);
    if (this.#db.isTransaction) throw nested(action, this.#file);
    try {
      this.#db.exec(begin);
      const result = work(this.#tx);
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw transactionError(error, action, this.#file);
    }
  }
}

/** Its owner closed it while somebody still worked with it. */
function closed(action: string, file: string): VmplugError {
  return new VmplugError('state-unavailable', {
    action,
    subject: file,
    reason: 'this process has closed it',
    hint: 'what had begun is in the journal: the next command on the sandbox, or vmplug doctor, settles it',
  });
}

/** SQLite would refuse it as well, and rolling that back would roll back the outer one. */
function nested(action: string, file: string): VmplugError {
  return new VmplugError('internal-error', {
    action,
    subject: file,
    reason: 'a transaction was begun inside another one',
  });
}

function migrate(db: DatabaseSync, file: string): void {
  if (versionOf(db) === migrations.length) return;
  refuseNewer(db, file);
  refuseForeign(db, file);
  if (versionOf(db) > 0) copyOut(db, file);
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have migrated while this one waited for the lock.
    refuseNewer(db, file);
    for (const sql of migrations.slice(versionOf(db))) db.exec(sql);
    db.exec(`PRAGMA user_version = ${migrations.length}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function refuseNewer(db: DatabaseSync, file: string): void {
  const version = versionOf(db);
  if (version <= migrations.length) return;
  throw new VmplugError('state-too-new', {
    action: 'open the state',
    subject: file,
    reason: `it has schema version ${version}; this vmplug knows versions up to ${migrations.length}`,
    hint: 'use the vmplug that wrote it, or a newer one; nothing was changed',
    facts: { found: version, known: migrations.length },
  });
}

/** A database without our version that has tables belongs to another program. */
function refuseForeign(db: DatabaseSync, file: string): void {
  if (versionOf(db) > 0 || db.prepare('SELECT name FROM sqlite_schema').get() === undefined) return;
  // Another process may just have migrated it.
  if (versionOf(db) > 0) return;
  throw new VmplugError('state-unavailable', {
    action: 'open the state',
    subject: file,
    reason: 'the file is a database of another program',
    hint: 'choose another directory with --state-dir; nothing was changed',
  });
}

function versionOf(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
}
