import { parseDeviceNumber, type DeviceNumber } from './device-number.ts';

/** One mount of this mount namespace. */
export interface Mount {
  /** Of the superblock. Major 0 for file systems without a device, and for btrfs. */
  device: DeviceNumber;
  mountPoint: string;
  fileSystem: string;
  /** What was mounted, in the file system's own words: often a device path. */
  source: string;
  /** Whether the superblock itself is read-only, not just this mount of it. */
  readOnly: boolean;
}

/** Decodes the kernel's `\ooo` escapes for space, tab, newline, backslash and hash. */
export function decodeOctal(text: string): string {
  return text.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/**
 * Parses /proc/<pid>/mountinfo (proc_pid_mountinfo(5)): the number of optional fields before
 * the ` - ` varies. Lines that are not of that form are left out.
 */
export function parseMountinfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    // By single spaces: an empty source leaves an empty field.
    const fields = line.split(' ');
    const separator = fields.indexOf('-', 6);
    const device = parseDeviceNumber(fields[2] ?? '');
    const mountPoint = fields[4];
    if (separator < 0 || device === undefined || mountPoint === undefined) continue;
    mounts.push({
      device,
      mountPoint: decodeOctal(mountPoint),
      fileSystem: decodeOctal(fields[separator + 1] ?? ''),
      source: decodeOctal(fields[separator + 2] ?? ''),
      readOnly: (fields[separator + 3] ?? '').split(',').includes('ro'),
    });
  }
  return mounts;
}
