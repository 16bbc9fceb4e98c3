import { VmplugError } from '../../api/errors.ts';
import type { Store } from '../../store/store.ts';
import { StoreDeviceJournal } from './device-journal.ts';
import { SandboxDeviceManager, type DeviceManagerOptions } from './device-manager.ts';

export interface OpenDeviceManagerOptions extends Omit<DeviceManagerOptions, 'journal' | 'devices'> {
  readonly store: Store;
  /** The name of a sandbox in `store`. */
  readonly sandbox: string;
}

/**
 * The manager of a sandbox with the devices that the store has of it. Those whose attach or
 * detach nobody saw the end of are unsettled until the next one asks the receiver (W105).
 * @throws VmplugError `sandbox-not-found`, `invalid-state`, `state-unavailable`
 */
export function openDeviceManager({
  store,
  sandbox,
  ...options
}: OpenDeviceManagerOptions): SandboxDeviceManager {
  const records = store.read((tx) => {
    if (tx.sandbox(sandbox) === undefined) throw noSandbox(sandbox);
    return tx.managedDevices(sandbox);
  });
  const manager = new SandboxDeviceManager({ ...options, journal: new StoreDeviceJournal(store, sandbox) });
  manager.loadRecords(records);
  return manager;
}

function noSandbox(name: string): VmplugError {
  return new VmplugError('sandbox-not-found', {
    action: 'open the devices of',
    subject: name,
    reason: 'no sandbox of that name is known',
    hint: 'run or adopt it first',
  });
}
