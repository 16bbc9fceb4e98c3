import type { DeviceHost } from '../../api/device-host.ts';
import { deviceLogger } from '../../api/logger.ts';
import type { ManagedDeviceRecord } from '../../api/managed-device.ts';
import type { AnyDevice } from '../../devices/managed/counted-device.ts';
import { invalidState, StateFields } from '../../devices/managed/state-fields.ts';
import { emptyDevice } from './device-routing.ts';

/** A device that was read from its saved form, and the step that it was saved in the middle of. */
export interface SavedDevice {
  readonly device: AnyDevice;
  readonly pending: ManagedDeviceRecord['pending'];
}

/**
 * Makes the device that `record` says; `undefined`, with a warning, where its type is not known.
 * @throws VmplugError `invalid-state`, `state-kind-mismatch`
 */
export function readSaved(record: ManagedDeviceRecord, host: DeviceHost): SavedDevice | undefined {
  const fields = new StateFields(record.state, '', 'the state');
  const id = fields.text('ID');
  const type = fields.text('Type');
  if (type === '') throw invalidState(id, 'it has no Type');
  const device = emptyDevice(type, host);
  if (device === undefined) {
    deviceLogger().warn('a saved device of a type that is not known is passed over', { id, type });
    return undefined;
  }
  device.restore(record);
  return { device, pending: record.pending };
}
