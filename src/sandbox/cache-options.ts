import type { DiskOptions } from '../api/attachment.ts';
import type { DeviceConfig } from '../api/config.ts';
import { VmplugError } from '../api/errors.ts';

/**
 * v1's cache settings (`block_device_cache_set`, `_direct`, `_noflush`) as QEMU's cache mode.
 * @throws VmplugError `invalid-argument` for the pair that no mode stands for
 */
export function cacheOptions(config: DeviceConfig): DiskOptions {
  const { block_device_cache_direct: direct, block_device_cache_noflush: noFlush } = config;
  if (!config.block_device_cache_set) return {};
  if (direct && noFlush) {
    throw new VmplugError('invalid-argument', {
      action: 'configure the cache of block devices',
      subject: 'block_device_cache_direct and block_device_cache_noflush',
      reason: 'past the page cache and without flushes, what the guest has synced is lost with the power',
      hint: 'set one of the two only',
    });
  }
  if (direct) return { cache: 'none' };
  return { cache: noFlush ? 'unsafe' : 'writeback' };
}
