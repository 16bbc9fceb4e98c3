import type { VFIODeviceType } from './device-info.ts';

/** The format of a disk image. Decided once, recorded, and given to the VMM explicitly. */
export const imageFormats = ['raw', 'qcow2'] as const;
export type ImageFormat = (typeof imageFormats)[number];

/** One file or block node that a disk reads: the image itself, or an image below it. */
export interface ImageLayer {
  /** Absolute, symbolic links resolved. */
  path: string;
  format: ImageFormat;
  /** QEMU's protocol driver for it. */
  protocol: 'file' | 'host_device';
}

/**
 * Something on the host by its real identity: device and inode, dev_t, WWN. Never by the
 * spelling of a path.
 */
export interface HostIdentity {
  /**
   * `file:<st_dev>:<inode>`, `block:<major>:<minor>`, `wwn:<id>`; with `@<offset>+<bytes>` for
   * a stretch of it, with `/parts` for those who have a part of it. `iommu-group:<n>`,
   * `pci:<bdf>`, `mdev:<uuid>`, `socket:<st_dev>:<inode>`.
   */
  key: string;
  /**
   * How the attachment needs it. `exclusive`: nobody else may have it; `shared-write`:
   * others that also said share-rw may; `shared-read`: other readers may.
   */
  mode: ClaimMode;
}

export const claimModes = ['exclusive', 'shared-write', 'shared-read'] as const;
export type ClaimMode = (typeof claimModes)[number];

/** A file or block node of this host that can be plugged as a disk. */
export interface HostDisk {
  kind: 'block';
  /** As the user gave it. */
  source: string;
  /** The image first, then what it is backed by, down to the base. */
  layers: readonly [ImageLayer, ...ImageLayer[]];
  /** What the format of a regular file is recorded under: tells it from a later file with its inode. */
  formatKey?: string;
  /** In bytes, as the guest will see it. */
  virtualSize: number;
  /** Everything that an attachment of it claims: the disk itself first. */
  identities: readonly [HostIdentity, ...HostIdentity[]];
  readOnly: boolean;
  shareRw: boolean;
  /** dev_t for block nodes, zero for files. */
  major: number;
  minor: number;
}

/** A file or node of this host that can be plugged as an nvdimm: memory that keeps what is written. */
export interface HostPmem {
  kind: 'pmem';
  /** As the user gave it. */
  source: string;
  /** Absolute, symbolic links resolved. */
  path: string;
  /** In bytes; a multiple of 4096, and not more than `path` has. */
  size: number;
  identities: readonly [HostIdentity, ...HostIdentity[]];
  readOnly: boolean;
  shareRw: boolean;
}

/** One function of an IOMMU group, or one mediated device. */
export interface HostFunction {
  type: VFIODeviceType;
  /** `0000:3b:00.0`, the domain included; the UUID of a mediated or AP device. */
  address: string;
  /** Absolute, symbolic links resolved. */
  sysfsDev: string;
  /** `0x8086`; empty where there is none. */
  vendorId: string;
  deviceId: string;
  /** `0x020000`; empty where there is none. */
  classCode: string;
  isPcie: boolean;
  /**
   * The driver of this host that it is taken from, `null` for none: it is to be given to vfio-pci.
   * Missing when vfio has it already.
   */
  hostDriver?: string | null;
}

/**
 * What the IOMMU keeps together, and so moves into a VM whole or not at all: the functions of
 * one group, bridges left out.
 */
export interface HostVfioGroup {
  kind: 'vfio';
  /** As the user gave it. */
  source: string;
  /** Its number below `/sys/kernel/iommu_groups`. */
  group: string;
  /** In order of their addresses. */
  functions: readonly [HostFunction, ...HostFunction[]];
  /** The group and each of its functions. */
  identities: readonly [HostIdentity, ...HostIdentity[]];
  readOnly: false;
  shareRw: false;
}

/** A device that another program serves over a UNIX socket. */
export interface HostVhostUser {
  kind: 'vhost-user-blk' | 'vhost-user-scsi' | 'vhost-user-net' | 'vhost-user-fs';
  /** As the user gave it. */
  source: string;
  /** Absolute, symbolic links resolved. */
  socket: string;
  /** For `vhost-user-net`: `52:54:00:12:34:56`. */
  mac?: string;
  /** For `vhost-user-fs`: what the guest mounts, 1 to 36 bytes. */
  tag?: string;
  /** For `vhost-user-fs`: the DAX window in MiB; 0 for none. */
  cacheSize?: number;
  identities: readonly [HostIdentity, ...HostIdentity[]];
  readOnly: boolean;
  shareRw: false;
}

export type HostDevice = HostDisk | HostPmem | HostVfioGroup | HostVhostUser;

/** The path by which this host knows it. */
export function hostPathOf(host: HostDevice): string {
  switch (host.kind) {
    case 'block':
      return host.layers[0].path;
    case 'pmem':
      return host.path;
    case 'vfio':
      return `/dev/vfio/${host.group}`;
    case 'vhost-user-blk':
    case 'vhost-user-scsi':
    case 'vhost-user-net':
    case 'vhost-user-fs':
      return host.socket;
  }
}

/** Bytes, where it has a size. */
export function hostSizeOf(host: HostDevice): number | undefined {
  if (host.kind === 'block') return host.virtualSize;
  return host.kind === 'pmem' ? host.size : undefined;
}
