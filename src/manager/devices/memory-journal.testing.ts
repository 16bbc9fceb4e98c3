import type { ManagedDeviceRecord } from '../../api/managed-device.ts';
import { refusal } from '../../devices/managed/device.testing.ts';
import type { DeviceJournal } from './device-journal.ts';

/** Keeps records in memory, and fails at the write that it is told to. */
export class MemoryJournal implements DeviceJournal {
  readonly records = new Map<string, ManagedDeviceRecord>();
  /** Writes until one fails. */
  left = Number.POSITIVE_INFINITY;
  failed = false;

  put(...records: readonly ManagedDeviceRecord[]): void {
    this.#write();
    for (const record of records) this.records.set(record.state.ID, record);
  }

  putSoon(record: ManagedDeviceRecord): void {
    this.put(record);
  }

  delete(id: string): void {
    this.#write();
    this.records.delete(id);
  }

  #write(): void {
    this.left -= 1;
    if (this.left >= 0) return;
    this.left = Number.POSITIVE_INFINITY;
    this.failed = true;
    throw refusal('state-unavailable');
  }
}
