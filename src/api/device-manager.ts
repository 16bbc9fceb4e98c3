import type { Device } from './device.ts';
import type { DeviceInfo } from './device-info.ts';
import type { DeviceReceiver } from './device-receiver.ts';
import type { DeviceState } from './device-state.ts';

/** Identity, references and routing of the devices of one sandbox (v1's `DeviceManager`). */
export interface DeviceManager {
  /**
   * Resolves the host path, reuses the device of the same type, major and minor or makes a
   * new one, and adds a reference.
   * @throws VmplugError `no-container-path`, `invalid-device-number`, `source-not-found`,
   * `device-conflict`, `too-many-references`, `id-exhausted`
   */
  newDevice(info: DeviceInfo): Promise<Device>;
  /**
   * Drops one reference and forgets the device with the last one.
   * @throws VmplugError `device-not-found`, `remove-attached-device`
   */
  removeDevice(id: string): Promise<void>;
  /** @throws VmplugError `device-not-found`, or what the device threw */
  attachDevice(id: string, receiver: DeviceReceiver): Promise<void>;
  /** @throws VmplugError `device-not-found`, `device-not-attached`, or what the device threw */
  detachDevice(id: string, receiver: DeviceReceiver): Promise<void>;
  /** `false` for an unknown id. */
  isDeviceAttached(id: string): boolean;
  getDeviceByID(id: string): Device | undefined;
  /** A new list, ordered by id. */
  getAllDevices(): Device[];
  /**
   * Makes one device of each state. A type that is not known is skipped with a warning;
   * the same id replaces what is there.
   * @throws VmplugError `invalid-state`, `state-kind-mismatch`; nothing is loaded then
   */
  loadDevices(states: readonly DeviceState[]): void;
}
