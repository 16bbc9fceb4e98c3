/** One device of a container, as v1 saves it (`DeviceMaps`). */
export interface ContainerDevice {
  /** The manager's id. */
  readonly ID: string;
  readonly ContainerPath: string;
  /** Go mode bits. */
  readonly FileMode: number;
  readonly UID: number;
  readonly GID: number;
}

/** A mount of a container (v1's `Mount`). */
export interface Mount {
  /** On the host. */
  readonly Source: string;
  /** In the container. */
  readonly Destination: string;
  readonly Type: string;
  readonly Options: readonly string[];
  /** Where the host has it for sharing with the guest; empty for a volume on a disk. */
  readonly HostPath: string;
  readonly ReadOnly: boolean;
  /** The manager's id of the disk that the volume is on; empty for other mounts. */
  readonly BlockDeviceID: string;
}

/** The disk that a container's root file system is on; both empty when it is on none. */
export interface BlockRootfs {
  readonly BlockDeviceID: string;
  readonly FsType: string;
}

/** What a container has of devices, as v1 saves it (`ContainerState`): the volumes are in the map. */
export interface SavedContainerDevices {
  readonly DeviceMaps: readonly ContainerDevice[];
  readonly Rootfs: BlockRootfs;
}
