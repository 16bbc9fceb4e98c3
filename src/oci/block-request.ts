import type { DeviceInfo } from '../api/device-info.ts';
import type { DeviceNumber } from '../host/device-number.ts';

/** The request for a block node of this host that a container is to have at `containerPath`. */
export function blockRequest(
  hostPath: string,
  containerPath: string,
  number: DeviceNumber,
  readOnly: boolean,
): DeviceInfo {
  return {
    HostPath: hostPath,
    ContainerPath: containerPath,
    DevType: 'b',
    Major: number.major,
    Minor: number.minor,
    Pmem: false,
    ReadOnly: readOnly,
    ColdPlug: false,
    FileMode: 0,
    UID: 0,
    GID: 0,
    ID: '',
    DriverOptions: null,
  };
}
