import type { AttachmentRecord } from '../api/attachment.ts';
import type { Transaction } from '../store/store.ts';

/**
 * The VM no longer has a device: its attachment, with claims and places, is deleted, and where it is
 * a device of a `DeviceManager` that one no longer counts it as attached. Its references stay.
 */
export function forgetAttachment(tx: Transaction, { id, sandbox }: AttachmentRecord): void {
  tx.deleteAttachment(id);
  const managed = tx.managedDevice(sandbox, id);
  if (managed === undefined) return;
  const { pending: _, ...record } = managed;
  tx.putManagedDevice(sandbox, { ...record, state: { ...record.state, AttachCount: 0 } });
}
