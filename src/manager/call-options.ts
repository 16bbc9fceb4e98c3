import type { AttachmentRecord, DiskOptions } from '../api/attachment.ts';
import type { DeviceDriver } from '../api/device-type.ts';
import type { Evidence } from '../api/evidence.ts';
import type { ImageFormat } from '../api/host-device.ts';
import type { ExchangeOptions } from '../api/hypervisor.ts';
import { resolveSource } from '../host/resolve-source.ts';
import type { HostSysfs } from '../host/vfio/host-sysfs.ts';
import type { AttachRequest } from '../operations/attach-request.ts';
import type { RunRequest } from '../sandbox/run.ts';

/** Limits of one call. */
export interface CallOptions {
  /** Milliseconds to wait for the guest or the VMM; 10,000 by default. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface ForgetOptions extends CallOptions {
  /** Also while nobody knows whether the VM has ended: what it held is free here, and may still be in use. */
  readonly force?: boolean;
}

export interface AttachOptions extends CallOptions {
  /** As what it is plugged; without one the kind's default on this VMM. */
  readonly driver?: DeviceDriver | undefined;
  readonly readOnly?: boolean;
  /** Others that say so too may have the image at the same time, for writing. */
  readonly shareRw?: boolean;
  readonly format?: ImageFormat;
  /** For `vhost-user-fs`, where it is needed: what the guest mounts. */
  readonly tag?: string;
  /** For `vhost-user-net`: the hardware address of the card. */
  readonly mac?: string;
  /** Attach although this host uses it: mounted, swap, device-mapper, its network. */
  readonly force?: boolean;
  /** The evidence to wait for; `live` by default. */
  readonly wait?: Evidence;
  readonly disk?: DiskOptions;
  /** Hears what will be done, right before it is done. */
  readonly onPlanned?: (planned: AttachmentRecord) => void;
  /** What a relative source is relative to. */
  readonly cwd?: string;
}

/** What a VM is started with. */
export interface RunOptions
  extends
    Omit<RunRequest, 'stateDir' | 'sysfs' | 'coldPlug' | 'onProgress' | keyof ExchangeOptions>,
    CallOptions {
  /** Sources of devices that it has from the start, alone or with the options of an attach. */
  readonly coldPlug?: readonly (string | ColdPlugOptions)[];
  /** The evidence to wait for where a device does not say; `live` by default. */
  readonly wait?: Evidence;
}

/** A device that a VM has from the start; the limits of the start are its own. */
export interface ColdPlugOptions extends Omit<AttachOptions, keyof CallOptions> {
  readonly source: string;
}

const defaultTimeoutMs = 10_000;

/** The limits of a call, with what they are by default. */
export function limits(options: CallOptions): ExchangeOptions {
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  return options.signal === undefined ? { timeoutMs } : { timeoutMs, signal: options.signal };
}

/**
 * What an attach of a source is asked for with.
 * @param host where this host's trees are
 */
export function attachRequest(
  source: string,
  options: AttachOptions,
  { paths, hooks }: Pick<HostSysfs, 'paths' | 'hooks'>,
): AttachRequest {
  const { readOnly, shareRw, force, format, tag, mac, cwd, signal } = options;
  return {
    ...limits(options),
    driver: options.driver,
    onPlanned: options.onPlanned,
    options: options.disk ?? {},
    wait: options.wait ?? 'live',
    resolve: (recordedFormat) => {
      const given = { readOnly, shareRw, force, format, tag, mac, cwd, signal };
      return resolveSource(source, { ...given, recordedFormat, paths, hooks });
    },
  };
}
