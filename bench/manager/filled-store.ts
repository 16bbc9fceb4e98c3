import { sandboxRecord } from '../../src/store/records.testing.ts';
import { SandboxDeviceManager } from '../../src/manager/devices/device-manager.ts';
import { SqliteStore } from '../../src/store/sqlite-store.ts';
import { addDisks, host } from './devices.ts';

/** The sandbox whose devices are measured. */
export const sandbox = 'bench';

/** Makes a store in `directory` with a sandbox that has `size` attached disks. */
export async function fillStore(directory: string, size: number): Promise<void> {
  const manager = new SandboxDeviceManager({ host });
  await addDisks(manager, size);
  using store = SqliteStore.open(directory);
  store.write((tx) => {
    tx.putSandbox(sandboxRecord(sandbox));
    for (const device of manager.getAllDevices()) tx.putManagedDevice(sandbox, device.record());
  });
}
