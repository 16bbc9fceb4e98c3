import type { DevicePayload } from './device-info.ts';
import type { DeviceReceiver } from './device-receiver.ts';
import type { DeviceState } from './device-state.ts';
import type { DeviceType } from './device-type.ts';

/**
 * A managed handle on one host device (v1's `Device`). References say who holds it,
 * attachments what the VMM has: two independent counters.
 *
 * A device does no locking of its own; callers go through a {@link DeviceManager}.
 */
export interface Device {
  /**
   * Adds one attachment. Only the step from 0 to 1 does real work; when that fails the
   * count is 0 again and every index that was taken is returned.
   * @throws VmplugError `too-many-attachments`, or what the receiver threw
   */
  attach(receiver: DeviceReceiver): Promise<void>;
  /**
   * Takes one attachment away. Only the step from 1 to 0 does real work; when that fails
   * the count is 1 again.
   * @throws VmplugError `device-not-attached` when there is none, or what the receiver threw
   */
  detach(receiver: DeviceReceiver): Promise<void>;
  /** Stable, unique in one manager. */
  deviceID(): string;
  deviceType(): DeviceType;
  getMajorMinor(): [major: number, minor: number];
  getHostPath(): string;
  getDeviceInfo(): DevicePayload;
  /** Attachments at present, 0 to 2^64-1. */
  getAttachCount(): bigint;
  /** Adds a reference, saturating at 2^64-1; returns the new count. */
  reference(): bigint;
  /** Takes a reference away, not below 0; returns the new count. */
  dereference(): bigint;
  /** A snapshot that shares nothing with the device. */
  save(): DeviceState;
  /**
   * Becomes what `state` says.
   * @throws VmplugError `state-kind-mismatch` when the payload is of another kind; `invalid-state`
   */
  load(state: DeviceState): void;
}
