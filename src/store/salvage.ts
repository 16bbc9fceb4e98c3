import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { stateTables, type StateTable } from './state-tables.ts';

export type Row = Readonly<Record<string, SQLOutputValue>>;

/** What could be read of one table, in its order. */
export interface Salvaged {
  readonly rows: readonly Row[];
  /** Nothing of it is missing, as far as SQLite can tell. */
  readonly isWhole: boolean;
}

/**
 * Reads what can be read of a damaged state: each table from its beginning to the first fault and from
 * its end to the last one. Rows between two faults are lost. Opens, and so may change, the file.
 */
export function salvage(file: string): Map<StateTable['name'], Salvaged> {
  try {
    using db = new DatabaseSync(file);
    return new Map(stateTables.map((table) => [table.name, readTable(db, table)]));
  } catch {
    // Without its first page a database has no tables.
    return new Map();
  }
}

function readTable(db: DatabaseSync, table: StateTable): Salvaged {
  const rows = new Map<string, Row>();
  const isRead = readRows(db, table, 'ASC', rows);
  if (!isRead) readRows(db, table, 'DESC', rows);
  return { rows: inOrder([...rows.values()], table), isWhole: isRead && isSound(db, table) };
}

/** @returns whether the end was reached */
function readRows(
  db: DatabaseSync,
  table: StateTable,
  order: 'ASC' | 'DESC',
  rows: Map<string, Row>,
): boolean {
  const columns = table.key.map((column) => `${column} ${order}`).join(', ');
  try {
    // An index may be damaged where its table is not.
    for (const row of db.prepare(`SELECT * FROM ${table.name} NOT INDEXED ORDER BY ${columns}`).iterate()) {
      rows.set(JSON.stringify(table.key.map((column) => row[column])), row);
    }
    return true;
  } catch {
    return false;
  }
}

function isSound(db: DatabaseSync, { name }: StateTable): boolean {
  try {
    return db.prepare(`PRAGMA integrity_check('${name}')`).get()?.['integrity_check'] === 'ok';
  } catch {
    return false;
  }
}

function inOrder(rows: readonly Row[], { key }: StateTable): Row[] {
  const [column = ''] = key;
  return typeof rows[0]?.[column] === 'number'
    ? rows.toSorted((one, two) => Number(one[column]) - Number(two[column]))
    : [...rows];
}
