import type { OperationRecord } from '../api/operation.ts';
import { stringifyExact } from '../api/exact-json.ts';
import type { Statements } from './statements.ts';

/** Finished operations that are kept for each sandbox, for `inspect` and for questions later. */
const keptOperations = 1000;
/** Those that are kept of one device. */
const keptOfDevice = 50;

/** The journal: what was done, the oldest first. */
export class OperationRows {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  find(filter: { sandbox?: string; device?: string }): OperationRecord[] {
    if (filter.device !== undefined) {
      return this.#statements.records(
        'SELECT record FROM operations WHERE device = ? ORDER BY seq',
        filter.device,
      );
    }
    return filter.sandbox === undefined
      ? this.#statements.records('SELECT record FROM operations ORDER BY seq')
      : this.#statements.records(
          'SELECT record FROM operations WHERE sandbox = ? ORDER BY seq',
          filter.sandbox,
        );
  }

  get(id: string): OperationRecord | undefined {
    return this.#statements.records<OperationRecord>('SELECT record FROM operations WHERE id = ?', id)[0];
  }

  put(record: OperationRecord): void {
    const { changes } = this.#statements.run(
      'UPDATE operations SET record = ? WHERE id = ?',
      stringifyExact(record),
      record.id,
    );
    if (Number(changes) > 0) return;
    const { lastInsertRowid } = this.#statements.run(
      'INSERT INTO operations (id, sandbox, device, record) VALUES (?, ?, ?, ?)',
      record.id,
      record.sandbox,
      record.device,
      stringifyExact(record),
    );
    this.#pruneDevice(record.device);
    if (this.#beginsHundred(record.sandbox, Number(lastInsertRowid))) this.#pruneSandbox(record.sandbox);
  }

  /** The newest has the highest generation, so that no name comes again. */
  #pruneDevice(device: string): void {
    this.#statements.run(
      `DELETE FROM operations WHERE device = ?1 AND seq <=
       (SELECT seq FROM operations WHERE device = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)`,
      device,
      keptOfDevice,
    );
  }

  /** Whether `seq` is the first of its sandbox in a hundred: others count on in between. */
  #beginsHundred(sandbox: string, seq: number): boolean {
    const sql = 'SELECT max(seq) AS seq FROM operations WHERE sandbox = ? AND seq < ?';
    const before = Number(this.#statements.get(sql).get(sandbox, seq)?.['seq'] ?? 0);
    return Math.floor(before / 100) < Math.floor(seq / 100);
  }

  /** Operations of devices that are still there are kept whatever their age. */
  #pruneSandbox(sandbox: string): void {
    this.#statements.run(
      `DELETE FROM operations WHERE sandbox = ?1 AND device NOT IN (SELECT id FROM attachments)
       AND device NOT IN (SELECT id FROM managed_devices WHERE sandbox = ?1) AND seq <=
       (SELECT seq FROM operations WHERE sandbox = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)`,
      sandbox,
      keptOperations,
    );
  }
}
