import type { DeviceReceiver, SettlingReceiver } from '../../api/device-receiver.ts';
import { VmplugError } from '../../api/errors.ts';
import type { AnyDevice } from '../../devices/managed/counted-device.ts';
import { returnBlockIndex } from '../../devices/managed/block-index.ts';
import type { DeviceJournal } from './device-journal.ts';
import type { Unsettled } from './device-steps.ts';

/**
 * Finds out what became of a step that nobody saw the end of, by asking the receiver, and makes
 * the device what it is found to be.
 * @returns whether the receiver has it
 * @throws VmplugError `outcome-unknown` when the receiver cannot say; `state-unavailable`; nothing is changed then
 */
export async function settleDevice(
  device: AnyDevice,
  { pending, has: known }: Unsettled,
  receiver: DeviceReceiver,
  journal: DeviceJournal | undefined,
): Promise<boolean> {
  const has = known ?? (await ask(device, pending, receiver));
  const { pending: _, ...record } = device.record();
  journal?.put({ ...record, state: { ...record.state, AttachCount: has ? 1 : 0 } });
  device.settle(has);
  return has;
}

/** Gives back the block index of a device that was found not to be in the VM. */
export async function returnUnusedIndex(device: AnyDevice, receiver: DeviceReceiver): Promise<void> {
  const index = device.blockIndex();
  if (!device.mayBeInVM() && index !== undefined) await returnBlockIndex(receiver, index);
}

async function ask(
  device: AnyDevice,
  pending: 'attach' | 'detach',
  receiver: DeviceReceiver,
): Promise<boolean> {
  if (isSettling(receiver)) return receiver.hasDevice(device);
  throw unsettledError(device.deviceID(), pending, 'its receiver cannot be asked what it has');
}

function isSettling(receiver: DeviceReceiver): receiver is SettlingReceiver {
  return 'hasDevice' in receiver && typeof receiver.hasDevice === 'function';
}

export function unsettledError(id: string, pending: 'attach' | 'detach', reason: string): VmplugError {
  return new VmplugError('outcome-unknown', {
    action: 'settle the device',
    subject: id,
    reason: `nobody knows how its last ${pending} ended, and ${reason}`,
    hint: 'attach or detach it with a receiver that has hasDevice(); nothing was changed',
    facts: { device: id, pending },
  });
}
