import { VmplugError } from '../../api/errors.ts';
import type { HostVhostUser } from '../../api/host-device.ts';

/** What a vhost-user device is told besides its socket. */
export interface VhostUserOptions {
  /** For `vhost-user-net`: `52:54:00:12:34:56`. */
  mac?: string | undefined;
  /** For `vhost-user-fs`, where it is needed: what the guest mounts, 1 to 36 bytes. */
  tag?: string | undefined;
  /** For `vhost-user-fs`: the DAX window in MiB; 0 for none. */
  cacheSize?: number | undefined;
}

/** `tag` of virtio-fs's configuration space (Virtual I/O Device 1.2, 5.11.4). */
const longestTag = 36;
const largestCache = 0xffff_ffff;

/**
 * The options as the device is to have them, the address in lower case.
 * @throws VmplugError `invalid-argument` for values that the device cannot have, and for options of
 *   another kind of device
 */
export function checkedVhostUserOptions(
  kind: HostVhostUser['kind'],
  { mac, tag, cacheSize }: VhostUserOptions,
): Pick<HostVhostUser, 'mac' | 'tag' | 'cacheSize'> {
  if (mac !== undefined && kind !== 'vhost-user-net')
    throw invalid('mac', mac, 'only vhost-user-net has a MAC address');
  if (kind === 'vhost-user-fs') checkTag(tag);
  else if (tag !== undefined) throw invalid('tag', tag, 'only vhost-user-fs has a tag');
  if (cacheSize !== undefined) checkCacheSize(kind, cacheSize);
  return {
    ...(mac === undefined ? {} : { mac: checkedMac(mac) }),
    ...(tag === undefined ? {} : { tag }),
    ...(cacheSize === undefined ? {} : { cacheSize }),
  };
}

function checkedMac(mac: string): string {
  if (!/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac))
    throw invalid(
      'mac',
      mac,
      'a MAC address is six pairs of hexadecimal digits',
      'such as 52:54:00:12:34:56',
    );
  if (/^.[13579bdf]/i.test(mac))
    throw invalid('mac', mac, 'it is the address of a group', 'a device has an even first byte, such as 52');
  if (/^[0:]*$/.test(mac)) throw invalid('mac', mac, 'all zeros is no address');
  return mac.toLowerCase();
}

function checkTag(tag: string | undefined): void {
  const hint = 'give the name that the guest is to mount it by: --tag NAME';
  if (tag === undefined || tag === '') throw invalid('tag', tag ?? '', 'vhost-user-fs needs a tag', hint);
  const bytes = new TextEncoder().encode(tag).length;
  if (bytes > longestTag) throw invalid('tag', tag, `it has ${bytes} bytes, at most ${longestTag} fit`, hint);
  if (tag.includes('\0')) throw invalid('tag', tag, 'it contains a NUL byte', hint);
  if (!tag.isWellFormed()) throw invalid('tag', tag, 'it is not valid Unicode', hint);
}

function checkCacheSize(kind: HostVhostUser['kind'], cacheSize: number): void {
  if (kind !== 'vhost-user-fs')
    throw invalid('cacheSize', String(cacheSize), 'only vhost-user-fs has a DAX window');
  if (!Number.isInteger(cacheSize) || cacheSize < 0 || cacheSize > largestCache)
    throw invalid('cacheSize', String(cacheSize), 'a DAX window is a whole number of MiB', 'give 0 for none');
}

function invalid(name: string, value: string, reason: string, hint?: string): VmplugError {
  return new VmplugError('invalid-argument', {
    action: `use as ${name}`,
    subject: value,
    reason,
    ...(hint === undefined ? {} : { hint }),
  });
}
