import type { VhostUserDeviceAttrs } from '../../api/device-info.ts';
import { PciPath } from '../../api/pci-path.ts';
import type { PayloadBeyondV1, PayloadState } from './counted-device.ts';
import { savedVhostUser } from './saved-payload.ts';

/** The attributes of a vhost-user device of `type` with nothing set but `given`. */
export function vhostUserAttrs(
  type: VhostUserDeviceAttrs['Type'],
  given: Partial<VhostUserDeviceAttrs>,
): VhostUserDeviceAttrs {
  return {
    DevID: '',
    SocketPath: '',
    MacAddress: '',
    Tag: '',
    CacheSize: 0,
    Cache: '',
    PCIPath: PciPath.nil,
    Index: -1,
    ...given,
    Type: type,
  };
}

/** What is saved of them: v1's form, and the share that it has no room for. */
export function savedAttrs(attrs: VhostUserDeviceAttrs): PayloadState & PayloadBeyondV1 {
  const { Tag, CacheSize, Cache } = attrs;
  return { VhostUserDev: savedVhostUser(attrs), share: { Tag, CacheSize, Cache } };
}
