import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { damaged, stateError } from './sqlite-errors.ts';
import { faultsOf } from './state-check.ts';
import { backupOf, storeFile } from './state-file.ts';

/** Milliseconds after which a backup is made anew. */
const usualAgeMs = 24 * 60 * 60 * 1000;

/**
 * Makes the backup of a state anew: a whole copy, checked, on disk before it takes the place of the
 * one before. Others may read and write meanwhile.
 * @throws VmplugError `state-damaged`, `state-unavailable`; the backup before stays
 */
export function makeBackup(stateDir: string): void {
  const file = storeFile(stateDir);
  try {
    using db = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
    const [fault] = faultsOf(db, file);
    if (fault !== undefined) throw damaged(fault, 'back up the state', file);
    copyOut(db, file);
  } catch (error) {
    throw stateError(error, 'back up the state', file);
  }
}

/** Makes a backup where there is none, or an old one. */
export function makeBackupWhenOld(stateDir: string, ageMs = usualAgeMs): void {
  const backup = statSync(backupOf(storeFile(stateDir)), { throwIfNoEntry: false });
  if (backup === undefined || Date.now() - backup.mtimeMs > ageMs) makeBackup(stateDir);
}

/** Copies a database to its backup, on disk when this returns. */
export function copyOut(db: DatabaseSync, file: string): void {
  const made = `${backupOf(file)}-${process.pid}`;
  rmSync(made, { force: true });
  try {
    db.prepare('VACUUM INTO ?').run(made);
    sync(made);
    renameSync(made, backupOf(file));
    sync(dirname(file));
  } finally {
    rmSync(made, { force: true });
  }
}

/** Brings a file, or what a directory names, to disk. */
export function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
