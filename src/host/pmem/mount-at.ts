import { readFile } from 'node:fs/promises';
import { sameDevice, type DeviceNumber } from '../device-number.ts';
import type { HostPaths } from '../host-paths.ts';
import { decodeOctal, parseMountinfo, type Mount } from '../mountinfo.ts';
import { systemError } from '../source-errors.ts';

/**
 * The mount of `device`'s whole file system that has its mount point at `path`; undefined when
 * there is none. Not a mount that `path` lies inside of, and not a bind mount of a directory of it.
 * @param path absolute, symbolic links resolved
 */
export async function wholeMountAt(
  path: string,
  device: DeviceNumber,
  paths: HostPaths,
): Promise<Mount | undefined> {
  return (await readMountinfo(`${paths.proc}/self/mountinfo`)).split('\n').flatMap((line) =>
    parseMountinfo(line).filter(
      // The fourth field is the directory of the file system that is mounted.
      (mount) =>
        mount.mountPoint === path &&
        sameDevice(mount.device, device) &&
        decodeOctal(line.split(' ')[3] ?? '') === '/',
    ),
  )[0];
}

async function readMountinfo(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw systemError(file, error);
  }
}
