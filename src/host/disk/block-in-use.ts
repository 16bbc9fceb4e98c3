import {
  attribute,
  blockDevice,
  holdersOf,
  loopBacking,
  partitionsOf,
  type BlockDevice,
} from './block-device.ts';
import {
  blockKey,
  nodeKey,
  parseDeviceNumber,
  sameDevice,
  sameNode,
  type DeviceNumber,
  type NodeIdentity,
} from '../device-number.ts';
import { heldExclusively } from './exclusive-probe.ts';
import { identityAt, type HostUsage } from './host-usage.ts';

/** One thing that this host does with a disk. */
export interface HostUse {
  /** `is mounted on /mnt`, to follow the disk's name. */
  what: string;
  /** Whether it may write to it. */
  writes: boolean;
}

/**
 * What this host uses a regular file for: swap space, or the backing of a loop device that is
 * itself in use. Mounts in other mount namespaces show as "is held exclusively".
 * @param key the file's `file:<st_dev>:<inode>`
 */
export function fileUses(key: string, usage: HostUsage): HostUse[] {
  return usesOf({ kind: 'file', key }, usage, new Set());
}

/**
 * What this host uses a block device for: itself, any of its partitions or the disk that it is
 * a partition of may be mounted, swap space, held by device-mapper, md or bcache, or the backing
 * of a loop device in use; and for a loop device, what its backing is used for otherwise.
 */
export function blockUses(device: DeviceNumber, usage: HostUsage): HostUse[] {
  return usesOf({ kind: 'block', device }, usage, new Set());
}

function usesOf(node: NodeIdentity, usage: HostUsage, visited: Set<string>): HostUse[] {
  const key = nodeKey(node);
  if (visited.has(key)) return [];
  visited.add(key);

  const uses: HostUse[] = [];
  if (usage.swaps().some((swap) => sameNode(swap, node))) uses.push({ what: 'is swap space', writes: true });
  if (node.kind === 'block') uses.push(...blockOnlyUses(node.device, usage, visited));
  for (const loop of usage.loops()) {
    if (!sameNode(loop.backing, node)) continue;
    const device = parseDeviceNumber(attribute(`${usage.paths.sys}/block/${loop.name}/dev`) ?? '');
    if (device === undefined || visited.has(blockKey(device))) continue;
    let above = usesOf({ kind: 'block', device }, usage, visited);
    if (above.length === 0 && heldExclusively(`${usage.paths.dev}/${loop.name}`)) above = [exclusiveUse];
    uses.push(...prefixed(`backs ${loop.name}, which`, above));
  }
  return uses;
}

function blockOnlyUses(number: DeviceNumber, usage: HostUsage, visited: Set<string>): HostUse[] {
  const uses: HostUse[] = mountsOf(number, usage);
  const device = blockDevice(number, usage.paths);
  if (device === undefined) return uses;
  uses.push(...holdersOf(device).map((holder) => ({ what: `is held by ${holder}`, writes: true })));
  for (const part of partitionsOf(device)) {
    const name = blockDevice(part, usage.paths)?.name ?? blockKey(part);
    uses.push(
      ...prefixed(
        `has the partition ${name}, which`,
        usesOf({ kind: 'block', device: part }, usage, visited),
      ),
    );
  }
  if (device.partition !== undefined) uses.push(...usesOfDisk(device, device.partition.disk, usage, visited));
  const backing = loopBacking(device)?.backing;
  if (backing !== undefined)
    uses.push(...prefixed('reads a file or disk that', usesOf(backing, usage, visited)));
  return uses;
}

/** What concerns a partition among its disk's uses: those of the disk as a whole, not of its neighbours. */
function usesOfDisk(
  partition: BlockDevice,
  number: DeviceNumber,
  usage: HostUsage,
  visited: Set<string>,
): HostUse[] {
  const disk = blockDevice(number, usage.paths);
  if (disk === undefined || visited.has(blockKey(number))) return [];
  for (const neighbour of partitionsOf(disk))
    if (!sameDevice(neighbour, partition)) visited.add(blockKey(neighbour));
  return prefixed(
    `is part of ${disk.name}, which`,
    usesOf({ kind: 'block', device: number }, usage, visited),
  );
}

function mountsOf(number: DeviceNumber, usage: HostUsage): HostUse[] {
  return usage
    .mounts()
    .filter(({ device, source }) => {
      if (device.major !== 0) return sameDevice(device, number);
      // btrfs and its like number their superblocks themselves; the source names (one of) the devices.
      if (!source.startsWith(`${usage.paths.dev}/`)) return false;
      const mounted = identityAt(source);
      return mounted?.kind === 'block' && sameDevice(mounted.device, number);
    })
    .map(({ mountPoint, readOnly }) => ({ what: `is mounted on ${mountPoint}`, writes: !readOnly }));
}

/** A use that is only known from the kernel's refusal to share. */
export const exclusiveUse: HostUse = {
  what: 'is held exclusively by something on this host (a mount in another namespace, ZFS, a RAID, …)',
  writes: true,
};

function prefixed(prefix: string, uses: readonly HostUse[]): HostUse[] {
  return uses.map(({ what, writes }) => ({ what: `${prefix} ${what}`, writes }));
}
