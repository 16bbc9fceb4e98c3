/**
 * The saved form of devices, with the keys of v1's `persist.json`
 * (`virtcontainers/persist/api/device.go`).
 */
export interface DeviceState {
  ID: string;
  Type: string;
  /** Up to 2^64-1: a bigint where it is beyond `Number.MAX_SAFE_INTEGER`. */
  RefCount: number | bigint;
  AttachCount: number | bigint;
  DevType: string;
  Major: number;
  Minor: number;
  ColdPlug: boolean;
  DriverOptions: Record<string, string> | null;
  /**
   * Of our own, and ignored by v1: a vhost-user device of a kind that v1 gives a VM at boot only, and
   * that is plugged into the running one.
   */
  HotPlugged?: true;
  BlockDrive?: BlockDriveState;
  VFIODevs?: VFIODevState[];
  VhostUserDev?: VhostUserDeviceAttrsState;
}

/** v1 always writes `{}` for a PCI path; the text form is ours (W94). */
export type PciPathState = string | Record<string, never>;

export interface BlockDriveState {
  File: string;
  Format: string;
  ID: string;
  Index: number;
  MmioAddr: string;
  PCIPath: PciPathState;
  SCSIAddr: string;
  NvdimmID: string;
  VirtPath: string;
  DevNo: string;
  Pmem: boolean;
}

export interface VFIODevState {
  ID: string;
  Type: number;
  BDF: string;
  SysfsDev: string;
}

export interface VhostUserDeviceAttrsState {
  DevID: string;
  SocketPath: string;
  Type: string;
  MacAddress: string;
  PCIPath: PciPathState;
  Index: number;
}
