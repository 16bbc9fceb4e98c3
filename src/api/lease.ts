import type { ProcessIdentity } from './operation.ts';

/** A PCI function with the driver that it had before it was given to vfio-pci. */
export interface LeasedFunction {
  /** With its domain: `0000:3b:00.0`. */
  readonly address: string;
  /** `null` for none. */
  readonly driver: string | null;
  /** `driver_override` as it was (Documentation/ABI/testing/sysfs-bus-pci); `null` for none. */
  readonly override: string | null;
}

/** What to give back: plain data, kept for as long as the group is with vfio-pci. */
export interface VfioLease {
  /** Its number below `/sys/kernel/iommu_groups`. */
  readonly group: string;
  /** The functions that were given to vfio-pci, as they were before. */
  readonly functions: readonly LeasedFunction[];
}

/**
 * An IOMMU group that was given to vfio-pci for an attachment. It outlives the attachment: it goes
 * when every function is back with the driver it had.
 */
export interface LeaseRecord extends VfioLease {
  /** The id of the attachment that the group was given to vfio-pci for. */
  readonly device: string;
  readonly sandbox: string;
  /** The boot of this host in which it was made: after the next one every function is as it was. */
  readonly boot: string;
  /**
   * A VM that nobody can ask may have the group open still: its attachment went with a damaged state, or was
   * forgotten by force. Given back only when the kernel lets somebody else open the group.
   */
  readonly unseen?: true;
  /** Who changes the drivers at the moment, and which of its changes that is. */
  readonly worker?: { readonly process: ProcessIdentity; readonly id: string };
  /** Why giving back failed the last time. */
  readonly error?: { readonly code: string; readonly message: string };
}
