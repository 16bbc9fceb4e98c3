import type { DeviceInfo, VFIODev } from './device-info.ts';

/** v1's vhost-user store: nodes that stand for sockets (`enable_vhost_user_store`). */
export interface VhostUserStore {
  readonly enabled: boolean;
  /** Its root; nodes are in `block/devices`, sockets in `block/sockets`. */
  readonly path: string;
}

/** A member of an IOMMU group as the host describes it: what of {@link VFIODev} is not given by a VM. */
export type GroupMember = Omit<VFIODev, 'ID' | 'Bus'>;

/**
 * What devices and their manager ask of this host. The real one reads sysfs; v1's tests
 * replaced package variables instead.
 */
export interface DeviceHost {
  /**
   * v1's `GetHostPath` (`virtcontainers/device/config/config.go`): the node's path on the host.
   * @throws VmplugError `no-container-path`, `source-not-found`, `source-unsuitable`
   */
  getHostPath(info: DeviceInfo, store: VhostUserStore): Promise<string>;
  /**
   * The members of the IOMMU group of a `/dev/vfio/<group>` path, by address, bridges left out.
   * @throws VmplugError `pci-device-not-found`, `source-unsuitable`
   */
  groupMembers(hostPath: string): Promise<GroupMember[]>;
  /**
   * The `/dev/vfio/<group>` of the device at a path in sysfs; `undefined` when it is in no group.
   * Asked for a device that v1 saved, which has no path; a host without it cannot attach that one again.
   */
  groupPath?(sysfsDev: string): Promise<string | undefined>;
  /** 16 hexadecimal characters from the system's random source. */
  randomID(): string;
}
