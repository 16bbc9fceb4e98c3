import type { DatabaseSync } from 'node:sqlite';
import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
import { imageFormats, type HostIdentity, type ImageFormat } from '../api/host-device.ts';
import { stringifyExact } from '../api/exact-json.ts';
import type { LeaseRecord } from '../api/lease.ts';
import type { ManagedDeviceRecord } from '../api/managed-device.ts';
import type { OperationRecord } from '../api/operation.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { ClaimRows } from './claim-rows.ts';
import { knownWord } from './known-word.ts';
import { OperationRows } from './operation-rows.ts';
import { Statements } from './statements.ts';
import type { Claim, Claims, Transaction } from './store.ts';

/** The statements of the store; every one runs inside a transaction that the store opened. */
export class SqliteTransaction implements Transaction, Claims {
  readonly #statements: Statements;
  readonly #operations: OperationRows;
  readonly #claims: ClaimRows;

  constructor(db: DatabaseSync) {
    this.#statements = new Statements(db);
    this.#operations = new OperationRows(this.#statements);
    this.#claims = new ClaimRows(this.#statements);
  }

  sandboxes(): SandboxRecord[] {
    return this.#statements.records<SandboxRecord>('SELECT record FROM sandboxes ORDER BY name');
  }

  sandbox(name: string): SandboxRecord | undefined {
    return this.#statements.records<SandboxRecord>('SELECT record FROM sandboxes WHERE name = ?', name)[0];
  }

  putSandbox(record: SandboxRecord): void {
    this.#statements.run(
      'INSERT INTO sandboxes (name, record) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET record = excluded.record',
      record.name,
      stringifyExact(record),
    );
  }

  deleteSandbox(name: string): void {
    this.#statements.run('DELETE FROM sandboxes WHERE name = ?', name);
  }

  attachments(sandbox?: string): AttachmentRecord[] {
    return sandbox === undefined
      ? this.#statements.records('SELECT record FROM attachments ORDER BY seq')
      : this.#statements.records('SELECT record FROM attachments WHERE sandbox = ? ORDER BY seq', sandbox);
  }

  unsettledAttachments(sandbox: string): AttachmentRecord[] {
    return this.#statements.records(
      "SELECT record FROM attachments WHERE sandbox = ? AND record ->> 'state' <> 'attached' ORDER BY seq",
      sandbox,
    );
  }

  attachment(id: string): AttachmentRecord | undefined {
    return this.#statements.records<AttachmentRecord>('SELECT record FROM attachments WHERE id = ?', id)[0];
  }

  putAttachment(record: AttachmentRecord): void {
    const { changes } = this.#statements.run(
      `INSERT INTO attachments (id, sandbox, record) VALUES (?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET record = excluded.record WHERE sandbox = excluded.sandbox`,
      record.id,
      record.sandbox,
      stringifyExact(record),
    );
    if (Number(changes) === 0) throw idOfOther(record);
  }

  deleteAttachment(id: string): void {
    this.#statements.run('DELETE FROM attachments WHERE id = ?', id);
  }

  operations(filter: { sandbox?: string; device?: string }): OperationRecord[] {
    return this.#operations.find(filter);
  }

  operation(id: string): OperationRecord | undefined {
    return this.#operations.get(id);
  }

  putOperation(record: OperationRecord): void {
    this.#operations.put(record);
  }

  managedDevices(sandbox: string): ManagedDeviceRecord[] {
    return this.#statements.records(
      'SELECT record FROM managed_devices WHERE sandbox = ? ORDER BY id',
      sandbox,
    );
  }

  managedDevice(sandbox: string, id: string): ManagedDeviceRecord | undefined {
    const sql = 'SELECT record FROM managed_devices WHERE sandbox = ? AND id = ?';
    return this.#statements.records<ManagedDeviceRecord>(sql, sandbox, id)[0];
  }

  putManagedDevice(sandbox: string, record: ManagedDeviceRecord): void {
    this.#statements.run(
      `INSERT INTO managed_devices (sandbox, id, record) VALUES (?, ?, ?)
       ON CONFLICT (sandbox, id) DO UPDATE SET record = excluded.record`,
      sandbox,
      record.state.ID,
      stringifyExact(record),
    );
  }

  deleteManagedDevice(sandbox: string, id: string): void {
    this.#statements.run('DELETE FROM managed_devices WHERE sandbox = ? AND id = ?', sandbox, id);
  }

  v1State(sandbox: string): string | undefined {
    const row = this.#statements.get('SELECT document FROM v1_states WHERE sandbox = ?').get(sandbox);
    return row === undefined ? undefined : String(row['document']);
  }

  putV1State(sandbox: string, document: string): void {
    this.#statements.run(
      `INSERT INTO v1_states (sandbox, document) VALUES (?, ?)
       ON CONFLICT (sandbox) DO UPDATE SET document = excluded.document`,
      sandbox,
      document,
    );
  }

  takenPlaces(sandbox: string): ReadonlySet<string> {
    const rows = this.#statements.get('SELECT place FROM places WHERE sandbox = ?').all(sandbox);
    return new Set(rows.map((row) => String(row['place'])));
  }

  takePlace(sandbox: string, place: string, device: string): void {
    const { changes } = this.#statements.run(
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
    this.#statements.run('DELETE FROM places WHERE device = ?', device);
  }

  claim(identities: readonly HostIdentity[], device: string, sandbox: string): void {
    this.#claims.claim(identities, device, sandbox);
  }

  checkClaim(identity: HostIdentity, device: string, sandbox: string): void {
    this.#claims.check(identity, device, sandbox);
  }

  holders(key: string): Claim[] {
    return this.#claims.holders(key);
  }

  leases(): LeaseRecord[] {
    return this.#statements.records('SELECT record FROM leases ORDER BY iommu_group');
  }

  freedLeases(): LeaseRecord[] {
    return this.#statements.records(
      'SELECT record FROM leases WHERE device NOT IN (SELECT id FROM attachments) ORDER BY iommu_group',
    );
  }

  putLease(record: LeaseRecord): void {
    this.#statements.run(
      `INSERT INTO leases (iommu_group, device, record) VALUES (?, ?, ?)
       ON CONFLICT (iommu_group) DO UPDATE SET device = excluded.device, record = excluded.record`,
      record.group,
      record.device,
      stringifyExact(record),
    );
  }

  deleteLease(group: string): void {
    this.#statements.run('DELETE FROM leases WHERE iommu_group = ?', group);
  }

  imageFormat(key: string): ImageFormat | undefined {
    const row = this.#statements.get('SELECT format FROM image_formats WHERE key = ?').get(key);
    return row === undefined ? undefined : knownWord(imageFormats, row['format']);
  }

  putImageFormat(key: string, format: ImageFormat): void {
    this.#statements.run(
      `INSERT INTO image_formats (key, format) VALUES (?, ?)
       ON CONFLICT (key) DO UPDATE SET format = excluded.format WHERE format <> excluded.format`,
      key,
      format,
    );
  }
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
