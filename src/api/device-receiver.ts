import type { Device } from './device.ts';
import type { DeviceType, HypervisorType } from './device-type.ts';

/**
 * What a device is plugged into: a sandbox (v1's `DeviceReceiver`). A receiver written
 * against this interface alone works with every device kind.
 */
export interface DeviceReceiver {
  /**
   * Makes `device` present in the running VM before it resolves; may write addresses back
   * into the device's payload. Called once for each step from 0 to 1 attachments.
   */
  hotplugAddDevice(device: Device, type: DeviceType): Promise<void>;
  /**
   * Removes `device` from the VM; resolves only when the host's resources may be released.
   * On failure the device counts as still attached.
   */
  hotplugRemoveDevice(device: Device, type: DeviceType): Promise<void>;
  /**
   * Takes the lowest free block index.
   * @throws VmplugError `too-many-devices` when none is free
   */
  getAndSetSandboxBlockIndex(): Promise<number>;
  /** Frees a block index; one that is not taken, and -1, are accepted. */
  unsetSandboxBlockIndex(index: number): Promise<void>;
  /** Virtio disks in the guest that are not in the index set; added before a `vdX` name is made. */
  getSandboxBlockOffset(): number;
  getHypervisorType(): HypervisorType;
  /** Cold-plug: adds `device` to the boot configuration of a VM that has not started. */
  appendDevice(device: Device): Promise<void>;
}

/**
 * A receiver that can be asked what it has, for when nobody knows what became of an attach or
 * detach: the process ended, or the connection was lost. Without it such a device stays unsettled.
 */
export interface SettlingReceiver extends DeviceReceiver {
  /** Whether the VM has `device` now; what it was asked to let go of is waited for. */
  hasDevice(device: Device): Promise<boolean>;
}
