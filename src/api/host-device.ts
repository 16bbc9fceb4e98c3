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
   * a stretch of it, with `/parts` for those who have a part of it.
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

export type HostDevice = HostDisk;
