import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { readRecord } from './read-record.ts';

/** Statements of one database, each prepared once. */
export class Statements {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  get(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }

  run(sql: string, ...values: (string | number)[]): ReturnType<StatementSync['run']> {
    return this.get(sql).run(...values);
  }

  /** What the column `record` of each row says. */
  records<T>(sql: string, ...values: string[]): T[] {
    // One row at a time: thousands of texts and what is read from them need not be there together.
    const rows = this.get(sql).iterate(...values);
    return Array.from(rows, (row) => readRecord<T>(String(row['record'])));
  }
}
