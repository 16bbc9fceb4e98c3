import type { DeviceReceiver } from '../../api/device-receiver.ts';
import { deviceLogger } from '../../api/logger.ts';

/** Gives a block index back. As in v1 a failure is no reason to fail: it is logged. */
export async function returnBlockIndex(receiver: DeviceReceiver, index: number): Promise<void> {
  try {
    await receiver.unsetSandboxBlockIndex(index);
  } catch (error) {
    deviceLogger().warn('a block index could not be given back', { index, error });
  }
}
