import type { AttachmentRecord } from '../api/attachment.ts';
import type { HostIdentity, ImageFormat } from '../api/host-device.ts';
import type { LeaseRecord } from '../api/lease.ts';
import type { ManagedDeviceRecord } from '../api/managed-device.ts';
import type { OperationRecord } from '../api/operation.ts';
import type { SandboxRecord } from '../api/sandbox.ts';

/** Who has a claim on a host device. */
export interface Claim extends HostIdentity {
  readonly device: string;
  readonly sandbox: string;
}

/** What can be read and written in one transaction. */
export interface Transaction {
  sandboxes(): SandboxRecord[];
  sandbox(name: string): SandboxRecord | undefined;
  putSandbox(record: SandboxRecord): void;
  /** Forgets a sandbox with all that belongs to it: attachments, claims, places, operations. */
  deleteSandbox(name: string): void;

  /** In order of creation. */
  attachments(sandbox?: string): AttachmentRecord[];
  /** Those of a sandbox that are in another state than `attached`. */
  unsettledAttachments(sandbox: string): AttachmentRecord[];
  attachment(id: string): AttachmentRecord | undefined;
  /** @throws VmplugError `claimed-elsewhere` when an attachment of another sandbox has its id */
  putAttachment(record: AttachmentRecord): void;
  /** Deletes an attachment with its claims and its place. */
  deleteAttachment(id: string): void;

  /** Newest last. */
  operations(filter: { sandbox?: string; device?: string }): OperationRecord[];
  operation(id: string): OperationRecord | undefined;
  putOperation(record: OperationRecord): void;

  /** The devices of the sandbox's `DeviceManager`, by id. */
  managedDevices(sandbox: string): ManagedDeviceRecord[];
  managedDevice(sandbox: string, id: string): ManagedDeviceRecord | undefined;
  putManagedDevice(sandbox: string, record: ManagedDeviceRecord): void;
  deleteManagedDevice(sandbox: string, id: string): void;

  /** The documents of v1 that the sandbox was imported from, as one JSON text. */
  v1State(sandbox: string): string | undefined;
  putV1State(sandbox: string, document: string): void;

  /** Keys of the places of `sandbox` that are given out. */
  takenPlaces(sandbox: string): ReadonlySet<string>;
  /** @throws VmplugError `no-free-place` when it is given out already */
  takePlace(sandbox: string, place: string, device: string): void;
  freePlaces(device: string): void;

  /** The IOMMU groups that were given to vfio-pci and are to be given back. */
  leases(): LeaseRecord[];
  /** Those of attachments that are gone. */
  freedLeases(): LeaseRecord[];
  /** One for each group: what is there is replaced. */
  putLease(record: LeaseRecord): void;
  deleteLease(group: string): void;

  imageFormat(key: string): ImageFormat | undefined;
  putImageFormat(key: string, format: ImageFormat): void;
}

/**
 * Claims on host devices: who may plug what. An interface of its own, because storage that
 * several hosts see is claimed somewhere else than on one of them.
 */
export interface Claims {
  /**
   * Claims every identity for `device`, or none of them.
   * @throws VmplugError `already-attached`, `claimed-elsewhere`; both name the holder
   */
  claim(identities: readonly HostIdentity[], device: string, sandbox: string): void;
  /** Throws what {@link claim} would, and claims nothing. */
  checkClaim(identity: HostIdentity, device: string, sandbox: string): void;
  holders(key: string): Claim[];
}

/**
 * The durable state of one host. A transaction that has returned is on disk (but for
 * {@link Store.writeSoon}); one that threw has changed nothing. Several processes may use it at once.
 */
export interface Store extends Disposable {
  /** @throws VmplugError `state-unavailable`, `state-damaged`, and what `work` throws */
  write<T>(work: (tx: Transaction & Claims) => T): T;
  /**
   * As {@link write}, for what comes at the same time as others: all of them share one commit, and
   * one that throws leaves the others as they are. On disk when the promise resolves.
   * @throws VmplugError `state-unavailable`, `state-damaged`, and what `work` throws
   */
  writeTogether<T>(work: (tx: Transaction & Claims) => T): Promise<T>;
  /**
   * As {@link write}, without waiting for the disk: it outlives this process, but perhaps not a
   * power failure. For the end of an operation: a power failure ends its VM too, and the
   * operation, open again, is settled as any other that nobody could finish.
   * @throws VmplugError `state-unavailable`, `state-damaged`, and what `work` throws
   */
  writeSoon<T>(work: (tx: Transaction & Claims) => T): T;
  /** @throws VmplugError `state-unavailable`, `state-damaged`, and what `work` throws */
  read<T>(work: (tx: Transaction & Claims) => T): T;
}
