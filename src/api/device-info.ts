import type { PciPath } from './pci-path.ts';

/** Device node types of the OCI runtime spec: block, character, unbuffered character, FIFO. */
export type DevType = 'b' | 'c' | 'u' | 'p' | '';

/**
 * The request that every device is made from. Field names are v1's
 * (`virtcontainers/device/config/config.go`), because they are persisted.
 */
export interface DeviceInfo {
  /** Path on the host. Block: backing file; VFIO: `/dev/vfio/<group>`; vhost-user: socket. */
  HostPath: string;
  /** Path in the container; required unless `Pmem`. Never persisted by v1. */
  ContainerPath: string;
  DevType: DevType;
  Major: number;
  Minor: number;
  /** `HostPath` is the backing file or node of an nvdimm. */
  Pmem: boolean;
  ReadOnly: boolean;
  /** Plug at boot instead of into the running VM. */
  ColdPlug: boolean;
  /** Permissions of the node in the container, as Go mode bits. */
  FileMode: number;
  UID: number;
  GID: number;
  /** Set by the manager only. */
  ID: string;
  DriverOptions: Record<string, string> | null;
}

/** A request that says nothing yet, to be spread. */
export const emptyDeviceInfo: Readonly<DeviceInfo> = Object.freeze({
  HostPath: '',
  ContainerPath: '',
  DevType: '',
  Major: 0,
  Minor: 0,
  Pmem: false,
  ReadOnly: false,
  ColdPlug: false,
  FileMode: 0,
  UID: 0,
  GID: 0,
  ID: '',
  DriverOptions: null,
});

/** What a block device was given as. */
export interface BlockDrive {
  File: string;
  /** `raw`, `qcow2`; for pmem the file system type in the guest. */
  Format: string;
  ID: string;
  /** Block index in the sandbox. */
  Index: number;
  MmioAddr: string;
  PCIPath: PciPath;
  /** `<scsi-id>:<lun>` */
  SCSIAddr: string;
  /** Decimal; the guest's node is `/dev/pmem<NvdimmID>`. */
  NvdimmID: string;
  /** v1's predicted guest name, `/dev/vd<x>`. Evidence of nothing: use the serial. */
  VirtPath: string;
  /** Guest channel address `0.<ssid>.<devno>`. */
  DevNo: string;
  ShareRW: boolean;
  ReadOnly: boolean;
  Pmem: boolean;
}

/** Types of a member of an IOMMU group; the numbers are persisted. */
export const VFIODeviceErrorType = 0;
export const VFIODeviceNormalType = 1;
export const VFIODeviceMediatedType = 2;
/** Not in v1; its successors have it. */
export const VFIODeviceAPType = 3;
export type VFIODeviceType = 0 | 1 | 2 | 3;

/** One member of a plugged IOMMU group. */
export interface VFIODev {
  IsPCIe: boolean;
  Type: VFIODeviceType;
  ID: string;
  /** PCI address. v1 drops the domain; here it is kept. Empty for mediated devices. */
  BDF: string;
  SysfsDev: string;
  VendorID: string;
  DeviceID: string;
  Class: string;
  Bus: string;
}

/** What a vhost-user device was given as. */
export interface VhostUserDeviceAttrs {
  DevID: string;
  SocketPath: string;
  Type: 'vhost-user-blk-pci' | 'vhost-user-scsi-pci' | 'virtio-net-pci' | 'vhost-user-fs-pci';
  MacAddress: string;
  /** Mount tag of a shared file system. */
  Tag: string;
  /** DAX window in MiB. */
  CacheSize: number;
  Cache: string;
  PCIPath: PciPath;
  /** Block index, or -1 when it takes none. */
  Index: number;
}

/** v1's entropy source; boot only. */
export interface RNGDev {
  ID: string;
  Filename: string;
}

/** `Device.getDeviceInfo()`, told apart by `type`. A payload is `null` before the first attach. */
export type DevicePayload =
  | { type: 'generic'; info: DeviceInfo | null }
  | { type: 'block'; drive: BlockDrive | null }
  | { type: 'vfio'; devices: readonly VFIODev[] }
  | { type: 'vhost-user-blk-pci'; attrs: VhostUserDeviceAttrs | null }
  | {
      type: 'vhost-user-scsi-pci' | 'virtio-net-pci' | 'vhost-user-fs-pci';
      attrs: VhostUserDeviceAttrs;
    };
