import type { AttachmentRecord } from '../api/attachment.ts';
import { hasCode } from '../api/errors.ts';
import { imageFormats } from '../api/host-device.ts';
import type { LeaseRecord } from '../api/lease.ts';
import type { ManagedDeviceRecord } from '../api/managed-device.ts';
import type { OperationRecord } from '../api/operation.ts';
import { placeKey } from '../api/place.ts';
import { unitsOf } from '../api/plan.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { readRecord, UnreadableRecord } from './read-record.ts';
import type { Row } from './salvage.ts';
import type { StateTable } from './state-tables.ts';
import type { Claims, Transaction } from './store.ts';

/**
 * Puts a salvaged row into a state that is made anew, unless it is there already.
 * @returns why it cannot be had, for people
 */
export function putRow(tx: Transaction & Claims, table: StateTable['name'], row: Row): string | undefined {
  try {
    return put[table](tx, row);
  } catch (error) {
    if (error instanceof UnreadableRecord) return 'its record cannot be read';
    if (hasCode(error, 'no-free-place', 'claimed-elsewhere', 'already-attached')) return error.reason;
    throw error;
  }
}

type Put = (tx: Transaction & Claims, row: Row) => string | undefined;

const put: Readonly<Record<StateTable['name'], Put>> = {
  sandboxes(tx, row) {
    const record = recordOf<SandboxRecord>(row);
    if (record.name !== row['name']) throw new UnreadableRecord(undefined);
    if (tx.sandbox(record.name) === undefined) tx.putSandbox(record);
    return undefined;
  },
  attachments(tx, row) {
    const record = recordOf<AttachmentRecord>(row);
    if (record.id !== row['id'] || record.sandbox !== row['sandbox']) throw new UnreadableRecord(undefined);
    if (tx.attachment(record.id) !== undefined) return undefined;
    if (tx.sandbox(record.sandbox) === undefined) return lostSandbox(record.sandbox);
    putAttachment(tx, record);
    return undefined;
  },
  operations(tx, row) {
    const record = recordOf<OperationRecord>(row);
    if (tx.operation(record.id) !== undefined) return undefined;
    if (tx.sandbox(record.sandbox) === undefined) return lostSandbox(record.sandbox);
    tx.putOperation(record);
    return undefined;
  },
  managed_devices(tx, row) {
    const [sandbox, record] = [String(row['sandbox']), recordOf<ManagedDeviceRecord>(row)];
    if (tx.sandbox(sandbox) === undefined) return lostSandbox(sandbox);
    if (tx.managedDevice(sandbox, record.state.ID) === undefined) tx.putManagedDevice(sandbox, record);
    return undefined;
  },
  v1_states(tx, row) {
    const sandbox = String(row['sandbox']);
    if (tx.sandbox(sandbox) === undefined) return lostSandbox(sandbox);
    if (tx.v1State(sandbox) === undefined) tx.putV1State(sandbox, String(row['document']));
    return undefined;
  },
  leases(tx, row) {
    const record = recordOf<LeaseRecord>(row);
    if (!tx.leases().some(({ group }) => group === record.group)) tx.putLease(record);
    return undefined;
  },
  image_formats(tx, row) {
    const format = imageFormats.find((known) => known === row['format']);
    if (format === undefined) throw new UnreadableRecord(undefined);
    if (tx.imageFormat(String(row['key'])) === undefined) tx.putImageFormat(String(row['key']), format);
    return undefined;
  },
};

/**
 * The attachment with its claims and places, or nothing of it. What its VM has is not taken on trust:
 * the next look at the VM settles it.
 */
function putAttachment(tx: Transaction & Claims, record: AttachmentRecord): void {
  for (const identity of record.host.identities) tx.checkClaim(identity, record.id, record.sandbox);
  tx.putAttachment(record.state === 'attached' ? { ...record, state: 'unknown' } : record);
  try {
    for (const { place } of unitsOf(record)) tx.takePlace(record.sandbox, placeKey(place), record.id);
  } catch (error) {
    tx.deleteAttachment(record.id);
    throw error;
  }
  tx.claim(record.host.identities, record.id, record.sandbox);
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows the table
function recordOf<T>(row: Row): T {
  return readRecord<T>(String(row['record']));
}

function lostSandbox(name: string): string {
  return `the record of its sandbox ${name} is lost`;
}
