import { VFIODeviceAPType, VFIODeviceErrorType } from '../api/device-info.ts';
import type { DeviceDriver } from '../api/device-type.ts';
import { VmplugError } from '../api/errors.ts';
import type { HostVfioGroup } from '../api/host-device.ts';
import type { KindRequest } from './device-kind.ts';
import { refuseDiskOptions } from './requirements.ts';

/**
 * Refuses a group of which the driver cannot take every function: it moves whole or not at all.
 * @throws VmplugError `unsupported` for a driver that the VMM doesn't have; `invalid-argument`
 */
export function checkGroup(request: KindRequest<HostVfioGroup>, drivers: readonly DeviceDriver[]): void {
  const { driver, host } = request;
  refuseDiskOptions(request);
  if (!drivers.includes(driver)) {
    throw new VmplugError('unsupported', {
      action: 'plan the device',
      subject: host.source,
      reason: `the VMM has no ${driver}`,
      hint: `choose --driver ${drivers.join(' or --driver ')}`,
    });
  }
  for (const { address, type } of host.functions) {
    const isAp = type === VFIODeviceAPType;
    if (type !== VFIODeviceErrorType && isAp === (driver === 'vfio-ap')) continue;
    throw new VmplugError('invalid-argument', {
      action: `plan ${host.source}, with`,
      subject: address,
      reason:
        type === VFIODeviceErrorType
          ? 'it is neither a PCI function nor a mediated device'
          : `${driver} is not the driver for it`,
      hint: isAp ? 'choose --driver vfio-ap' : 'give a PCI function, a mediated device or their group',
    });
  }
}
