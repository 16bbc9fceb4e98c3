import type { DeviceHost } from '../../api/device-host.ts';
import type { DeviceInfo, VhostUserDeviceAttrs } from '../../api/device-info.ts';
import { VhostUserNet } from '../../api/device-type.ts';
import { VhostUserPresetDevice } from './vhost-user-preset-device.ts';

/** A network card that another program serves. */
export class VhostUserNetDevice extends VhostUserPresetDevice {
  constructor(
    info: DeviceInfo | null,
    host: Pick<DeviceHost, 'randomID'>,
    attrs: Partial<VhostUserDeviceAttrs> = {},
  ) {
    super(VhostUserNet, info, host, attrs);
  }

  deviceType(): typeof VhostUserNet {
    return VhostUserNet;
  }
}
