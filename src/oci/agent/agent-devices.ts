import type { Device } from '../../api/device.ts';
import type { DeviceManager } from '../../api/device-manager.ts';
import type { BlockDriver } from '../../api/device-type.ts';
import { VmplugError } from '../../api/errors.ts';
import type { ContainerDevice } from '../container.ts';
import { agentDevice, type AgentOptions } from './agent-device.ts';
import type { AgentDevice } from './messages.ts';

/**
 * What the agent is told of the devices of a container, in their order; kinds of which it is
 * told nothing are left out, and no other entry stands in for them (W08).
 * @throws VmplugError `device-not-found` for an id that the manager does not know (W09), and
 * what {@link agentDevice} throws
 */
export function agentDevices(
  devices: readonly ContainerDevice[],
  manager: Pick<DeviceManager, 'getDeviceByID'>,
  driver: BlockDriver,
  options: AgentOptions = {},
): AgentDevice[] {
  return devices.flatMap(({ ID, ContainerPath }) => {
    const payload = deviceOf(manager, ID, ContainerPath).getDeviceInfo();
    return agentDevice(payload, driver, ContainerPath, options) ?? [];
  });
}

/** @throws VmplugError `device-not-found` */
export function deviceOf(
  manager: Pick<DeviceManager, 'getDeviceByID'>,
  id: string,
  containerPath: string,
): Device {
  const device = manager.getDeviceByID(id);
  if (device === undefined) {
    throw new VmplugError('device-not-found', {
      action: 'tell the guest agent of the device',
      subject: id,
      reason: `the manager has no device of this id, which the container has at ${containerPath}`,
      hint: "give the manager of the container's own sandbox",
      facts: { id, containerPath },
    });
  }
  return device;
}
