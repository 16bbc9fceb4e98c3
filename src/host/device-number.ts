import type { BigIntStats } from 'node:fs';

/** A block device's number, dev_t. */
export interface DeviceNumber {
  major: number;
  minor: number;
}

/** Takes a 64-bit dev_t apart as glibc's gnu_dev_major and gnu_dev_minor do (makedev(3)). */
export function deviceNumber(dev: bigint): DeviceNumber {
  return {
    major: Number(((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n)),
    minor: Number((dev & 0xffn) | ((dev >> 12n) & 0xffffff00n)),
  };
}

/** Reads `8:16`, as sysfs and mountinfo write it; undefined when it isn't that. */
export function parseDeviceNumber(text: string): DeviceNumber | undefined {
  const match = /^(\d+):(\d+)$/.exec(text.trim());
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

export function sameDevice(a: DeviceNumber, b: DeviceNumber): boolean {
  return a.major === b.major && a.minor === b.minor;
}

/** `block:<major>:<minor>`, the key of a block node in claims. */
export function blockKey(device: DeviceNumber): string {
  return `block:${device.major}:${device.minor}`;
}

/** `file:<st_dev>:<inode>`, the key of a regular file in claims. */
export function fileKey(stat: Pick<BigIntStats, 'dev' | 'ino'>): string {
  return `file:${stat.dev}:${stat.ino}`;
}

/** A file's or block node's identity: what it is, not what it is called. */
export type NodeIdentity = { kind: 'file'; key: string } | { kind: 'block'; device: DeviceNumber };

/** The identity behind a `stat`; undefined for what is neither a regular file nor a block node. */
export function nodeIdentity(stat: BigIntStats): NodeIdentity | undefined {
  if (stat.isFile()) return { kind: 'file', key: fileKey(stat) };
  if (stat.isBlockDevice()) return { kind: 'block', device: deviceNumber(stat.rdev) };
  return undefined;
}

/** The key of a file or block node in claims. */
export function nodeKey(node: NodeIdentity): string {
  return node.kind === 'file' ? node.key : blockKey(node.device);
}

export function sameNode(a: NodeIdentity, b: NodeIdentity): boolean {
  return nodeKey(a) === nodeKey(b);
}
