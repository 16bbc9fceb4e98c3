import type { DiskOptions } from '../api/attachment.ts';
import type { BlockDriver } from '../api/device-type.ts';
import type { Evidence } from '../api/evidence.ts';
import type { HostDisk, ImageFormat } from '../api/host-device.ts';

/** What is to be attached, how, and how long it may take. */
export interface AttachRequest {
  /** Finds out what the source is on this host. */
  readonly resolve: (recordedFormat: (key: string) => ImageFormat | undefined) => Promise<HostDisk>;
  readonly driver: BlockDriver;
  readonly options: DiskOptions;
  readonly wait: Evidence;
  /** Milliseconds to wait for the guest. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}
