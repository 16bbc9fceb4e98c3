import type { DeviceInfo, VFIODev } from './device-info.ts';
import type { DeviceState } from './device-state.ts';

/**
 * A device of a `DeviceManager` as it is kept: v1's saved form, and beside it what v1's form
 * has no room for and so lost (W95).
 */
export interface ManagedDeviceRecord {
  readonly state: DeviceState;
  /** The request that it was made from. */
  readonly info: DeviceInfo | null;
  /** Of a block device. */
  readonly drive?: { readonly ReadOnly: boolean; readonly ShareRW: boolean };
  /** The members of a VFIO group, whole. */
  readonly members?: readonly VFIODev[];
  /** Of a shared file system. */
  readonly share?: { readonly Tag: string; readonly CacheSize: number; readonly Cache: string };
  /** What was about to be done with the receiver, and of which nobody yet knows how it ended. */
  readonly pending?: 'attach' | 'detach';
}
