import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

/** One row, committed by SQLite alone as the store commits: what a durable write costs here at least. */
export class CommitFloor implements Disposable {
  readonly #db: DatabaseSync;
  readonly #put: StatementSync;

  constructor(directory: string) {
    this.#db = new DatabaseSync(join(directory, 'floor.db'));
    this.#db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      CREATE TABLE rows (id INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT`);
    this.#put = this.#db.prepare(
      'INSERT INTO rows VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record',
    );
  }

  /** Microseconds of each of `commits` commits. */
  run(commits: number): number[] {
    return Array.from({ length: commits }, (_, index) => {
      const start = performance.now();
      this.#put.run(`{"record":${index}}`);
      return Math.round((performance.now() - start) * 1e6) / 1e3;
    });
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}
