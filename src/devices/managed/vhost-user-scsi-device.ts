import type { DeviceHost } from '../../api/device-host.ts';
import type { DeviceInfo, VhostUserDeviceAttrs } from '../../api/device-info.ts';
import { VhostUserSCSI } from '../../api/device-type.ts';
import { VhostUserPresetDevice } from './vhost-user-preset-device.ts';

/** A SCSI controller that another program serves. */
export class VhostUserSCSIDevice extends VhostUserPresetDevice {
  constructor(
    info: DeviceInfo | null,
    host: Pick<DeviceHost, 'randomID'>,
    attrs: Partial<VhostUserDeviceAttrs> = {},
  ) {
    super(VhostUserSCSI, info, host, attrs);
  }

  deviceType(): typeof VhostUserSCSI {
    return VhostUserSCSI;
  }
}
