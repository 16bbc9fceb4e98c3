import type { ManagedDeviceRecord } from '../../api/managed-device.ts';
import type { Store } from '../../store/store.ts';

/**
 * Where a `DeviceManager` keeps its devices, so that they outlive its process. What throws has
 * changed nothing.
 */
export interface DeviceJournal {
  /** Durable when it returns: all of `records`, or none. */
  put(...records: readonly ManagedDeviceRecord[]): void;
  /** Outlives the process, but perhaps not a power failure, which ends the VM too. */
  putSoon(record: ManagedDeviceRecord): void;
  /** Durable when it returns. */
  delete(id: string): void;
}

/** The journal of one sandbox in the store of this host. */
export class StoreDeviceJournal implements DeviceJournal {
  readonly #store: Store;
  readonly #sandbox: string;

  constructor(store: Store, sandbox: string) {
    this.#store = store;
    this.#sandbox = sandbox;
  }

  put(...records: readonly ManagedDeviceRecord[]): void {
    this.#store.write((tx) => {
      for (const record of records) tx.putManagedDevice(this.#sandbox, record);
    });
  }

  putSoon(record: ManagedDeviceRecord): void {
    this.#store.writeSoon((tx) => tx.putManagedDevice(this.#sandbox, record));
  }

  delete(id: string): void {
    this.#store.write((tx) => tx.deleteManagedDevice(this.#sandbox, id));
  }
}
