import type { DeviceHost } from '../../api/device-host.ts';
import type { DeviceInfo, VhostUserDeviceAttrs } from '../../api/device-info.ts';
import { VhostUserFS } from '../../api/device-type.ts';
import { VhostUserPresetDevice } from './vhost-user-preset-device.ts';

/** A shared file system: virtiofsd serves it. Saved and loaded as what it is (W35). */
export class VhostUserFSDevice extends VhostUserPresetDevice {
  constructor(
    info: DeviceInfo | null,
    host: Pick<DeviceHost, 'randomID'>,
    attrs: Partial<VhostUserDeviceAttrs> = {},
  ) {
    super(VhostUserFS, info, host, attrs);
  }

  deviceType(): typeof VhostUserFS {
    return VhostUserFS;
  }
}
