import { blockKey, type DeviceNumber } from '../device-number.ts';
import { blockDevice, loopBacking, slavesOf } from './block-device.ts';
import { identityAt, type HostUsage } from './host-usage.ts';

/**
 * The keys of every block device that the file system on `/` lies on: its own, the disk of a
 * partition, what device-mapper and md are made of, down to the disks.
 */
export function rootDevices(usage: HostUsage): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { device, mountPoint, source } of usage.mounts()) {
    if (mountPoint !== '/') continue;
    if (device.major !== 0) add(device, usage, found);
    // btrfs and its like number their superblocks themselves; the source names (one of) the devices.
    else if (source.startsWith(`${usage.paths.dev}/`)) {
      const mounted = identityAt(source);
      if (mounted?.kind === 'block') add(mounted.device, usage, found);
    }
  }
  return found;
}

function add(number: DeviceNumber, usage: HostUsage, found: Set<string>): void {
  const key = blockKey(number);
  if (found.has(key)) return;
  found.add(key);
  const device = blockDevice(number, usage.paths);
  if (device === undefined) return;
  const backing = loopBacking(device)?.backing;
  const below = [
    ...(device.partition === undefined ? [] : [device.partition.disk]),
    ...slavesOf(device),
    ...(backing?.kind === 'block' ? [backing.device] : []),
  ];
  for (const each of below) add(each, usage, found);
}
