import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { isDamage, faultBefore, stateError } from './sqlite-errors.ts';
import { stateTables } from './state-tables.ts';
import { storeFile } from './state-file.ts';

/**
 * What is wrong with the state's file, in SQLite's words or ours; nothing when it is sound, or not there.
 * Reads all of it, and changes nothing.
 * @throws VmplugError `state-unavailable` when it cannot be read at all
 */
export function checkState(stateDir: string): string[] {
  const file = storeFile(stateDir);
  if (!existsSync(file)) return [];
  const fault = faultBefore(file);
  if (fault !== undefined) return [fault];
  try {
    using db = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
    return faultsOf(db, file);
  } catch (error) {
    if (isDamage(error, file)) return [String(error instanceof Error ? error.message : error)];
    throw stateError(error, 'check the state', file);
  }
}

/** {@link checkState} of an open database. */
export function faultsOf(db: DatabaseSync, file: string): string[] {
  try {
    const words = db.prepare('PRAGMA integrity_check(20)').all();
    const broken = words.map((row) => String(row['integrity_check'])).filter((text) => text !== 'ok');
    if (broken.length > 0) return broken;
    return [...danglingRows(db), ...unreadableRecords(db)];
  } catch (error) {
    // The check reads records for an index of theirs, and fails on one that is no JSON.
    if (isDamage(error, file) || isMalformed(error))
      return [error instanceof Error ? error.message : String(error)];
    throw error;
  }
}

function isMalformed(error: unknown): boolean {
  return error instanceof Error && error.message === 'malformed JSON';
}

function danglingRows(db: DatabaseSync): string[] {
  const rows = db.prepare('PRAGMA foreign_key_check').all();
  return rows.map((row) => `a row of ${String(row['table'])} belongs to nothing in ${String(row['parent'])}`);
}

function unreadableRecords(db: DatabaseSync): string[] {
  return stateTables
    .filter(({ name, hasRecord }) => hasRecord && isThere(db, name))
    .flatMap(({ name }) => {
      const row = db.prepare(`SELECT count(*) AS bad FROM ${name} WHERE NOT json_valid(record)`).get();
      const bad = Number(row?.['bad']);
      return bad === 0 ? [] : [`${bad} records of ${name} cannot be read`];
    });
}

/** A state of an older version has not all of the tables. */
function isThere(db: DatabaseSync, name: string): boolean {
  return db.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(name) !== undefined;
}
