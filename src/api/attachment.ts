import type { DeviceDriver } from './device-type.ts';
import type { Evidence } from './evidence.ts';
import type { GuestAddress } from './guest-address.ts';
import type { HostDevice } from './host-device.ts';
import type { Timeline } from './operation.ts';
import type { Place } from './place.ts';
import type { Plan } from './plan.ts';

/**
 * `attaching`, `detaching`: an operation is under way, or was when its process ended.
 * `unknown`: what became of it is settled by asking the VMM.
 */
export type AttachmentState = 'attaching' | 'attached' | 'detaching' | 'unknown';

/** How QEMU is to treat the image; what is left out keeps the VMM's own default. */
export interface DiskOptions {
  readonly cache?: 'none' | 'writeback' | 'writethrough' | 'directsync' | 'unsafe';
  readonly aio?: 'threads' | 'native' | 'io_uring';
  readonly discard?: 'ignore' | 'unmap';
}

/** A device and its one attachment, as it is kept in the store. */
export interface AttachmentRecord {
  /** 16 hexadecimal characters, as in v1. */
  readonly id: string;
  readonly sandbox: string;
  /** As the user gave it. */
  readonly source: string;
  readonly kind: HostDevice['kind'];
  readonly driver: DeviceDriver;
  readonly state: AttachmentState;
  readonly host: HostDevice;
  readonly options: DiskOptions;
  /** Where its first function is; `plan.further` has the others of a group. */
  readonly place: Place;
  /** Which attach of this device it is, from 1: part of every name in the VMM. */
  readonly generation: number;
  readonly plan: Plan;
  readonly serial: string;
  readonly evidence?: Evidence;
  readonly guest: GuestAddress;
  readonly timeline: Timeline;
  /** Unix milliseconds. */
  readonly createdAt: number;
}
