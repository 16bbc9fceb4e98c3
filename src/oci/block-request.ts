import { type DeviceInfo, emptyDeviceInfo } from '../api/device-info.ts';
import type { DeviceNumber } from '../host/device-number.ts';

/** The request for a block node of this host that a container is to have at `containerPath`. */
export function blockRequest(
  hostPath: string,
  containerPath: string,
  number: DeviceNumber,
  readOnly: boolean,
): DeviceInfo {
  return {
    ...emptyDeviceInfo,
    HostPath: hostPath,
    ContainerPath: containerPath,
    DevType: 'b',
    Major: number.major,
    Minor: number.minor,
    ReadOnly: readOnly,
  };
}
