import { DeviceGeneric } from '../../api/device-type.ts';
import type { ManagedDeviceRecord } from '../../api/managed-device.ts';
import type { OperationContext } from '../../operations/context.ts';
import { runningOperation } from '../../operations/journal.ts';
import { person, type Finding } from './finding.ts';

/**
 * Devices of which the `DeviceManager` counts something else than what is attached. Nothing is repaired: a
 * manager may have them in its memory, and its next attach or detach of the device asks the VM.
 */
export function miscounted({ store, sandbox }: Pick<OperationContext, 'store' | 'sandbox'>): Finding[] {
  return store.read((tx) => {
    // What v1 counted is taken over device by device, as its manager meets them.
    if (tx.v1State(sandbox.name) !== undefined) return [];
    const attachments = new Map(tx.attachments(sandbox.name).map((each) => [each.id, each]));
    return tx.managedDevices(sandbox.name).flatMap((managed): Finding[] => {
      const { ID: id, AttachCount } = managed.state;
      const attachment = attachments.get(id);
      const isOff = attachment === undefined ? AttachCount > 0 && isPlugged(managed) : isUncounted(managed);
      if (!isOff || runningOperation(tx, id) !== undefined) return [];
      const recorded = attachment?.state ?? 'no attachment';
      return [
        {
          problem: 'miscounted',
          sandbox: sandbox.name,
          device: id,
          what: `its DeviceManager counts ${AttachCount} attachments of it, and recorded is: ${recorded}`,
          why: 'its manager was ended in between, or the record was changed by somebody else',
          remedy: 'attach or detach it with its DeviceManager, which asks the VM what it has',
          plan: [
            attachment === undefined
              ? person('attach or detach it with its DeviceManager, which asks the VM what it has')
              : person(`vmplug detach ${sandbox.name} ${id}, or attach it with its DeviceManager`),
          ],
          truths: { wanted: `${AttachCount} attachments`, recorded },
          repaired: false,
        },
      ];
    });
  });
}

/** Whether an attachment in a VM belongs to it; generic devices are counted, and never plugged. */
function isPlugged({ state, pending }: ManagedDeviceRecord): boolean {
  return state.Type !== DeviceGeneric && !state.ColdPlug && pending === undefined;
}

/** While a step is pending the attachment is ahead of the count. */
function isUncounted({ state, pending }: ManagedDeviceRecord): boolean {
  return Number(state.AttachCount) === 0 && pending === undefined;
}
