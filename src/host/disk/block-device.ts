import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { nodeIdentity, parseDeviceNumber, type DeviceNumber, type NodeIdentity } from '../device-number.ts';
import type { HostPaths } from '../host-paths.ts';

/** What sysfs says about a block device (Documentation/ABI/stable/sysfs-block). */
export interface BlockDevice extends DeviceNumber {
  /** The kernel's name: `sdb1`. */
  name: string;
  /** Its directory in sysfs. */
  directory: string;
  /** In bytes. */
  size: number;
  readOnly: boolean;
  /** Where it lies on its disk, in bytes; undefined when it is no partition. */
  partition: { disk: DeviceNumber; start: number } | undefined;
}

/** Looks a block device up by its number; undefined when the kernel has no such device. */
export function blockDevice(number: DeviceNumber, paths: HostPaths): BlockDevice | undefined {
  let directory: string;
  try {
    directory = realpathSync.native(`${paths.sys}/dev/block/${number.major}:${number.minor}`);
  } catch {
    return undefined;
  }
  const disk = parseDeviceNumber(attribute(join(dirname(directory), 'dev')) ?? '');
  const start = attribute(join(directory, 'start'));
  const isPartition = attribute(join(directory, 'partition')) !== undefined;
  return {
    ...number,
    name: basename(directory),
    directory,
    size: Number(attribute(join(directory, 'size')) ?? 0) * 512,
    readOnly: attribute(join(directory, 'ro')) === '1',
    partition:
      isPartition && disk !== undefined && start !== undefined
        ? { disk, start: Number(start) * 512 }
        : undefined,
  };
}

/** The partitions of a disk. */
export function partitionsOf(device: BlockDevice): DeviceNumber[] {
  return numbersIn(
    device.directory,
    (name) =>
      name.startsWith(device.name) && attribute(join(device.directory, name, 'partition')) !== undefined,
  );
}

/** What a device-mapper, md or bcache device is made of. */
export function slavesOf(device: BlockDevice): DeviceNumber[] {
  return numbersIn(join(device.directory, 'slaves'), () => true);
}

/** The kernel's names of what is built on top of it, with device-mapper's own name where there is one. */
export function holdersOf(device: BlockDevice): string[] {
  return entries(join(device.directory, 'holders')).map((name) => {
    const mapped = attribute(join(device.directory, 'holders', name, 'dm', 'name'));
    return mapped === undefined ? name : `${name} (device-mapper ${mapped})`;
  });
}

/** The identifier that the device itself carries (NAA, EUI-64, UUID, T10); undefined when it has none. */
export function worldWideName(device: BlockDevice): string | undefined {
  for (const path of ['wwid', 'device/wwid']) {
    const id = attribute(join(device.directory, path));
    // All zeros, after the type, is what a device says that was never given one.
    if (id !== undefined && id !== '' && !/^(?:\w+\.)?[0.-]*$/.test(id)) return id;
  }
  return undefined;
}

/** What a loop device reads, and from which byte on; undefined when unbound, deleted or no loop device. */
export function loopBacking(device: BlockDevice): { backing: NodeIdentity; offset: number } | undefined {
  const backing = loopBackingIn(device.directory);
  if (backing === undefined) return undefined;
  return { backing, offset: Number(attribute(join(device.directory, 'loop', 'offset')) ?? 0) };
}

/** What the loop device in this sysfs directory reads: the cheap half of {@link loopBacking}. */
export function loopBackingIn(directory: string): NodeIdentity | undefined {
  const file = `${directory}/loop/backing_file`;
  // statSync rather than catching: an unbound loop device is the usual case, and an exception is dear.
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return undefined;
  try {
    // Bytes, since a path need not be UTF-8. Of a deleted file the name ends in " (deleted)" and is not found.
    const stat = statSync(readFileSync(file).subarray(0, -1), { bigint: true, throwIfNoEntry: false });
    return stat && nodeIdentity(stat);
  } catch {
    return undefined;
  }
}

/** The trimmed text of one sysfs attribute; undefined when there is none. */
export function attribute(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function numbersIn(directory: string, wanted: (name: string) => boolean): DeviceNumber[] {
  return entries(directory)
    .filter(wanted)
    .map((name) => parseDeviceNumber(attribute(join(directory, name, 'dev')) ?? ''))
    .filter((number) => number !== undefined);
}
