import type { AttachmentRecord, DiskOptions } from '../api/attachment.ts';
import type { DeviceDriver } from '../api/device-type.ts';
import type { Evidence } from '../api/evidence.ts';
import type { HostDevice, ImageFormat } from '../api/host-device.ts';
import type { PeerCheck } from '../api/plan.ts';

/** What is to be attached, how, and how long it may take. */
export interface AttachRequest {
  /** Finds out what the source is on this host. */
  readonly resolve: (recordedFormat: (key: string) => ImageFormat | undefined) => Promise<HostDevice>;
  /** As what it is plugged; without one the kind's default on this VMM. */
  readonly driver?: DeviceDriver | undefined;
  readonly options: DiskOptions;
  /** The evidence to wait for, or the best that the device can show where that is weaker. */
  readonly wait: Evidence;
  /** Milliseconds to wait for the guest. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** The device's id, where somebody has given it one: 16 hexadecimal characters. */
  readonly id?: string;
  /** Hears what will be done, before the first step goes out. */
  readonly onPlanned?: ((planned: AttachmentRecord) => void) | undefined;
}

/** A request that is decided: as what it is plugged, and how a program behind its socket is checked. */
export interface DecidedRequest extends AttachRequest {
  readonly driver: DeviceDriver;
  readonly peerChecks?: readonly PeerCheck['afterwards'][];
}
