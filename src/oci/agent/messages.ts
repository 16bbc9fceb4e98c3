/**
 * What the guest agent is told of a device: protobuf `Device` of the Kata agent, by the names
 * of its fields.
 */
export interface AgentDevice {
  /** What the agent finds the device by: a PCI path, a SCSI or channel address. */
  readonly id: string;
  readonly type: AgentDeviceType;
  /** The node in the guest, where it is known by its name. */
  readonly vm_path: string;
  /** Where the container is to have it. */
  readonly container_path: string;
  /** v1 never gives any. */
  readonly options: readonly string[];
}

/** What the guest agent is to mount: protobuf `Storage` of the Kata agent. */
export interface AgentStorage {
  readonly driver: string;
  readonly driver_options: readonly string[];
  readonly source: string;
  readonly fstype: string;
  readonly options: readonly string[];
  /** In the guest. */
  readonly mount_point: string;
}

/** How the agent is to find a device. */
export type AgentDeviceType = AgentDiskType | 'vfio-pci' | 'vfio-pci-gk' | 'vfio-ap';
export type AgentDiskType = 'blk' | 'blk-ccw' | 'mmioblk' | 'scsi' | 'nvdimm';
