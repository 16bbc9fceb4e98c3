import { randomBytes } from 'node:crypto';
import {
  emptyDeviceInfo,
  VFIODeviceNormalType,
  type DeviceHost,
  type DeviceInfo,
  type GroupMember,
} from 'vmplug/api';

/** A host without sysfs: what is asked for is there, and IOMMU group 7 has two functions. */
export class ToyHost implements DeviceHost {
  getHostPath(info: DeviceInfo): Promise<string> {
    return Promise.resolve(info.ContainerPath);
  }

  groupMembers(hostPath: string): Promise<GroupMember[]> {
    const addresses = hostPath === '/dev/vfio/7' ? ['0000:3b:00.0', '0000:3b:00.1'] : [];
    return Promise.resolve(addresses.map(functionAt));
  }

  randomID(): string {
    return randomBytes(8).toString('hex');
  }
}

function functionAt(address: string): GroupMember {
  return {
    IsPCIe: true,
    Type: VFIODeviceNormalType,
    BDF: address,
    SysfsDev: `/sys/bus/pci/devices/${address}`,
    VendorID: '0x8086',
    DeviceID: '0x1572',
    Class: '0x020000',
  };
}

/** A request for a device with the usual settings. */
export function request(given: Partial<DeviceInfo>): DeviceInfo {
  return { ...emptyDeviceInfo, DevType: 'b', ...given };
}
