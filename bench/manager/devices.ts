import { randomBytes } from 'node:crypto';
import type { DeviceHost } from '../../src/api/device-host.ts';
import { type DeviceInfo, emptyDeviceInfo } from '../../src/api/device-info.ts';
import { MockDeviceReceiver } from '../../src/api/mock-device-receiver.ts';
import type { SandboxDeviceManager } from '../../src/manager/devices/device-manager.ts';

/** A host that answers at once; its ids are random, as those of the real one. */
export const host: DeviceHost = {
  getHostPath: ({ ContainerPath }) => Promise.resolve(ContainerPath),
  groupMembers: () => Promise.resolve([]),
  randomID: () => randomBytes(8).toString('hex'),
};

/** A disk with numbers of its own. */
export function disk(Minor: number): DeviceInfo {
  return {
    ...emptyDeviceInfo,
    ContainerPath: `/dev/disk${Minor}`,
    DevType: 'b',
    Major: 8,
    Minor,
    FileMode: 0o660,
  };
}

/** Makes and attaches the disks 0 to `size` - 1. */
export async function addDisks(manager: SandboxDeviceManager, size: number): Promise<void> {
  const receiver = new MockDeviceReceiver();
  for (let minor = 0; minor < size; minor += 1) {
    const device = await manager.newDevice(disk(minor));
    await manager.attachDevice(device.deviceID(), receiver);
  }
}
