import { DeviceVFIO } from '../api/device-type.ts';
import type { Device } from '../api/device.ts';

/** What decides whether a device has to wait until the container was made. */
export interface LargeBars {
  /** v1's `machine_type`: only on `q35` anything waits. */
  readonly machineType: string;
  /** Whether the IOMMU group of a `/dev/vfio/<group>` path has a function with a large BAR. */
  readonly isLargeBar: (hostPath: string) => Promise<boolean>;
}

/**
 * Whether a device is attached only after the agent's request: mapping large BARs takes the
 * guest long. By the host's path: the container's may be of any name (W14).
 */
export async function isDeferred(device: Device, largeBars: LargeBars): Promise<boolean> {
  if (largeBars.machineType !== 'q35' || device.deviceType() !== DeviceVFIO) return false;
  return largeBars.isLargeBar(device.getHostPath());
}
