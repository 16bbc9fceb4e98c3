import type { DeviceInfo } from '../api/device-info.ts';
import type { DeviceManager } from '../api/device-manager.ts';
import type { DeviceReceiver } from '../api/device-receiver.ts';
import type { Device } from '../api/device.ts';
import { Holdings } from './holdings.ts';

/**
 * Adds a device to a sandbox, beside those of its containers (v1's `Sandbox.AddDevice`). When
 * the attach fails the reference is given back.
 * @throws what `DeviceManager.newDevice` and `.attachDevice` throw
 */
export async function addDevice(
  manager: DeviceManager,
  receiver: DeviceReceiver,
  info: DeviceInfo,
): Promise<Device> {
  const device = await manager.newDevice(info);
  const ID = device.deviceID();
  const { ContainerPath, FileMode, UID, GID } = info;
  const holdings = new Holdings(ID, manager, receiver);
  const holding = holdings.adopt('device', { ID, ContainerPath, FileMode, UID, GID });
  await holdings.orGiveBack(async () => holdings.attach(holding));
  return device;
}
