import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
import {
  claimModes,
  imageFormats,
  type ClaimMode,
  type HostIdentity,
  type ImageFormat,
} from '../api/host-device.ts';
import { stringifyExact } from '../api/exact-json.ts';
import type { LeaseRecord } from '../api/lease.ts';
import type { ManagedDeviceRecord } from '../api/managed-device.ts';
import type { OperationRecord } from '../api/operation.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { claimsAgree } from '../host/claim-modes.ts';
import { readRecord } from './read-record.ts';
import type { Claim, Claims, Transaction } from './store.ts';

/** Finished operations that are kept for each sandbox, for `inspect` and for questions later. */
const keptOperations = 1000;
/** Those that are kept of one device. */
const keptOfDevice = 50;

/** The statements of the store; every one runs inside a transaction that the store opened. */
export class SqliteTransaction implements Transaction, Claims {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  sandboxes(): SandboxRecord[] {
    return this.#records<SandboxRecord>('SELECT record FROM sandboxes ORDER BY name');
  }

  sandbox(name: string): SandboxRecord | undefined {
    return this.#records<SandboxRecord>('SELECT record FROM sandboxes WHERE name = ?', name)[0];
  }

  putSandbox(record: SandboxRecord): void {
    this.#run(
      'INSERT INTO sandboxes (name, record) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET record = excluded.record',
      record.name,
      stringifyExact(record),
    );
  }

  deleteSandbox(name: string): void {
    this.#run('DELETE FROM sandboxes WHERE name = ?', name);
  }

  attachments(sandbox?: string): AttachmentRecord[] {
    return sandbox === undefined
      ? this.#records('SELECT record FROM attachments ORDER BY seq')
      : this.#records('SELECT record FROM attachments WHERE sandbox = ? ORDER BY seq', sandbox);
  }

  unsettledAttachments(sandbox: string): AttachmentRecord[] {
    return this.#records(
      "SELECT record FROM attachments WHERE sandbox = ? AND record ->> 'state' <> 'attached' ORDER BY seq",
      sandbox,
    );
  }

  attachment(id: string): AttachmentRecord | undefined {
    return this.#records<AttachmentRecord>('SELECT record FROM attachments WHERE id = ?', id)[0];
  }

  putAttachment(record: AttachmentRecord): void {
    const { changes } = this.#run(
      `INSERT INTO attachments (id, sandbox, record) VALUES (?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET record = excluded.record WHERE sandbox = excluded.sandbox`,
      record.id,
      record.sandbox,
      stringifyExact(record),
    );
    if (Number(changes) === 0) throw idOfOther(record);
  }

  deleteAttachment(id: string): void {
    this.#run('DELETE FROM attachments WHERE id = ?', id);
  }

  operations(filter: { sandbox?: string; device?: string }): OperationRecord[] {
    if (filter.device !== undefined) {
      return this.#records('SELECT record FROM operations WHERE device = ? ORDER BY seq', filter.device);
    }
    return filter.sandbox === undefined
      ? this.#records('SELECT record FROM operations ORDER BY seq')
      : this.#records('SELECT record FROM operations WHERE sandbox = ? ORDER BY seq', filter.sandbox);
  }

  operation(id: string): OperationRecord | undefined {
    return this.#records<OperationRecord>('SELECT record FROM operations WHERE id = ?', id)[0];
  }

  putOperation(record: OperationRecord): void {
    const { changes } = this.#run(
      'UPDATE operations SET record = ? WHERE id = ?',
      stringifyExact(record),
      record.id,
    );
    if (Number(changes) > 0) return;
    const { lastInsertRowid } = this.#run(
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
    this.#run(
      `DELETE FROM operations WHERE device = ?1 AND seq <=
       (SELECT seq FROM operations WHERE device = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)`,
      device,
      keptOfDevice,
    );
  }

  /** Whether `seq` is the first of its sandbox in a hundred: others count on in between. */
  #beginsHundred(sandbox: string, seq: number): boolean {
    const sql = 'SELECT max(seq) AS seq FROM operations WHERE sandbox = ? AND seq < ?';
    const before = Number(this.#statement(sql).get(sandbox, seq)?.['seq'] ?? 0);
    return Math.floor(before / 100) < Math.floor(seq / 100);
  }

  /** Operations of devices that are still there are kept whatever their age. */
  #pruneSandbox(sandbox: string): void {
    this.#run(
      `DELETE FROM operations WHERE sandbox = ?1 AND device NOT IN (SELECT id FROM attachments)
       AND device NOT IN (SELECT id FROM managed_devices WHERE sandbox = ?1) AND seq <=
       (SELECT seq FROM operations WHERE sandbox = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)`,
      sandbox,
      keptOperations,
    );
  }

  managedDevices(sandbox: string): ManagedDeviceRecord[] {
    return this.#records('SELECT record FROM managed_devices WHERE sandbox = ? ORDER BY id', sandbox);
  }

  managedDevice(sandbox: string, id: string): ManagedDeviceRecord | undefined {
    const sql = 'SELECT record FROM managed_devices WHERE sandbox = ? AND id = ?';
    return this.#records<ManagedDeviceRecord>(sql, sandbox, id)[0];
  }

  putManagedDevice(sandbox: string, record: ManagedDeviceRecord): void {
    this.#run(
      `INSERT INTO managed_devices (sandbox, id, record) VALUES (?, ?, ?)
       ON CONFLICT (sandbox, id) DO UPDATE SET record = excluded.record`,
      sandbox,
      record.state.ID,
      stringifyExact(record),
    );
  }

  deleteManagedDevice(sandbox: string, id: string): void {
    this.#run('DELETE FROM managed_devices WHERE sandbox = ? AND id = ?', sandbox, id);
  }

  v1State(sandbox: string): string | undefined {
    const row = this.#statement('SELECT document FROM v1_states WHERE sandbox = ?').get(sandbox);
    return row === undefined ? undefined : String(row['document']);
  }

  putV1State(sandbox: string, document: string): void {
    this.#run(
      `INSERT INTO v1_states (sandbox, document) VALUES (?, ?)
       ON CONFLICT (sandbox) DO UPDATE SET document = excluded.document`,
      sandbox,
      document,
    );
  }

  takenPlaces(sandbox: string): ReadonlySet<string> {
    const rows = this.#statement('SELECT place FROM places WHERE sandbox = ?').all(sandbox);
    return new Set(rows.map((row) => String(row['place'])));
  }

  takePlace(sandbox: string, place: string, device: string): void {
    const { changes } = this.#run(
      'INSERT INTO places (sandbox, place, device) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
      sandbox,
      place,
      device,
    );
    if (Number(changes) === 0) {
      throw new VmplugError('no-free-place', {
        action: 'take the place',
        subject: place,
        reason: `it is given out already in ${sandbox}`,
      });
    }
  }

  freePlaces(device: string): void {
    this.#run('DELETE FROM places WHERE device = ?', device);
  }

  claim(identities: readonly HostIdentity[], device: string, sandbox: string): void {
    // All are looked at before the first is taken, so that a caller may go on after a refusal.
    for (const identity of identities) this.checkClaim(identity, device, sandbox);
    for (const identity of identities) {
      this.#run(
        `INSERT INTO claims (key, device, sandbox, mode) VALUES (?, ?, ?, ?)
         ON CONFLICT (key, device) DO UPDATE SET mode = excluded.mode`,
        identity.key,
        device,
        sandbox,
        identity.mode,
      );
    }
  }

  checkClaim({ key, mode }: HostIdentity, device: string, sandbox: string): void {
    const other = this.holders(key).find(
      (holder) => holder.device !== device && !claimsAgree(holder.mode, mode),
    );
    if (other !== undefined) throw clash(other, mode, sandbox);
  }

  holders(key: string): Claim[] {
    const rows = this.#statement('SELECT key, device, sandbox, mode FROM claims WHERE key = ?').all(key);
    return rows.map((row) => ({
      key: String(row['key']),
      device: String(row['device']),
      sandbox: String(row['sandbox']),
      mode: known(claimModes, row['mode']),
    }));
  }

  leases(): LeaseRecord[] {
    return this.#records('SELECT record FROM leases ORDER BY iommu_group');
  }

  freedLeases(): LeaseRecord[] {
    return this.#records(
      'SELECT record FROM leases WHERE device NOT IN (SELECT id FROM attachments) ORDER BY iommu_group',
    );
  }

  putLease(record: LeaseRecord): void {
    this.#run(
      `INSERT INTO leases (iommu_group, device, record) VALUES (?, ?, ?)
       ON CONFLICT (iommu_group) DO UPDATE SET device = excluded.device, record = excluded.record`,
      record.group,
      record.device,
      stringifyExact(record),
    );
  }

  deleteLease(group: string): void {
    this.#run('DELETE FROM leases WHERE iommu_group = ?', group);
  }

  imageFormat(key: string): ImageFormat | undefined {
    const row = this.#statement('SELECT format FROM image_formats WHERE key = ?').get(key);
    return row === undefined ? undefined : known(imageFormats, row['format']);
  }

  putImageFormat(key: string, format: ImageFormat): void {
    this.#run(
      `INSERT INTO image_formats (key, format) VALUES (?, ?)
       ON CONFLICT (key) DO UPDATE SET format = excluded.format WHERE format <> excluded.format`,
      key,
      format,
    );
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #run(sql: string, ...values: (string | number)[]): ReturnType<StatementSync['run']> {
    return this.#statement(sql).run(...values);
  }

  #records<T>(sql: string, ...values: string[]): T[] {
    // One row at a time: thousands of texts and what is read from them need not be there together.
    const rows = this.#statement(sql).iterate(...values);
    return Array.from(rows, (row) => readRecord<T>(String(row['record'])));
  }
}

function known<T extends string>(values: readonly T[], value: unknown): T {
  const found = values.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw new VmplugError('invalid-state', {
    action: 'read the state',
    subject: String(value),
    reason: `it is none of ${values.join(', ')}`,
  });
}

function idOfOther({ id, sandbox }: AttachmentRecord): VmplugError {
  return new VmplugError('claimed-elsewhere', {
    action: 'record the attachment',
    subject: id,
    reason: `another sandbox than ${sandbox} has an attachment of this id`,
    hint: 'vmplug ls shows which; an imported state of which there are two copies is imported once',
    facts: { device: id },
  });
}

function clash(holder: Claim, mode: ClaimMode, sandbox: string): VmplugError {
  const here = holder.sandbox === sandbox;
  return new VmplugError(here ? 'already-attached' : 'claimed-elsewhere', {
    action: 'claim the host device',
    subject: holder.key,
    reason: here
      ? `it is attached to ${sandbox} already, as ${holder.device}`
      : `sandbox ${holder.sandbox} has it (${holder.mode}), as ${holder.device}; this attach wants it ${mode}`,
    hint: here
      ? `detach it first: vmplug detach ${sandbox} ${holder.device}`
      : `detach it there first (vmplug detach ${holder.sandbox} ${holder.device}), or attach it on both sides with --read-only or --share-rw`,
    facts: { holder: holder.sandbox, device: holder.device, mode: holder.mode },
  });
}
