import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  statSync,
  type BigIntStats,
} from 'node:fs';
import { nodeIdentity, type NodeIdentity } from '../device-number.ts';
import { systemError, unsuitable } from '../source-errors.ts';

/** A disk source that was opened: what it is, and access to its first bytes. */
export interface OpenSource extends Disposable {
  identity: NodeIdentity;
  stat: BigIntStats;
  /** Up to `length` bytes from `offset`, fewer at the end. */
  read(offset: number, length: number): Buffer;
}

/**
 * Opens a regular file or block node the way that the VMM will need it, without changing it.
 * @param path absolute, symbolic links resolved
 * @param source what to call it in errors
 * @throws `source-not-found`, `source-unsuitable`
 */
export function openSource(path: string, source: string, readOnly: boolean): OpenSource {
  try {
    const before = statSync(path, { bigint: true });
    refuseKinds(before, source);
    const mode = before.isBlockDevice() ? blockNodeMode(path, readOnly) : fileMode(readOnly);
    // O_NONBLOCK: a FIFO put in the file's place must not hang us, nor a drive without a medium.
    const descriptor = openSync(path, mode | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const stat = fstatSync(descriptor, { bigint: true });
      const identity = nodeIdentity(stat);
      if (
        stat.dev !== before.dev ||
        stat.ino !== before.ino ||
        stat.rdev !== before.rdev ||
        identity === undefined
      )
        throw unsuitable(source, 'another file took its place while it was being looked at', 'try again');
      return {
        identity,
        stat,
        read: (offset, length) => readFully(descriptor, source, offset, length),
        [Symbol.dispose]: () => closeSync(descriptor),
      };
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  } catch (error) {
    throw systemError(source, error);
  }
}

/** Really opened for writing: access(2) tells root yes whatever the file system thinks. */
function fileMode(readOnly: boolean): number {
  return readOnly ? constants.O_RDONLY : constants.O_RDWR;
}

/** Not opened for writing: closing it again would make udev look for partitions. sysfs says if it is read-only. */
function blockNodeMode(path: string, readOnly: boolean): number {
  if (!readOnly) accessSync(path, constants.W_OK);
  return constants.O_RDONLY;
}

function readFully(descriptor: number, source: string, offset: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  try {
    while (filled < length) {
      const count = readSync(descriptor, buffer, filled, length - filled, offset + filled);
      if (count === 0) break;
      filled += count;
    }
  } catch (error) {
    throw systemError(source, error);
  }
  return buffer.subarray(0, filled);
}

function refuseKinds(stat: BigIntStats, source: string): void {
  if (stat.isFile()) {
    if (stat.size === 0n)
      throw unsuitable(
        source,
        'the file is empty',
        'give it a size first: truncate -s 10G FILE, or qemu-img create',
      );
  } else if (stat.isDirectory())
    throw unsuitable(
      source,
      'it is a directory',
      'to share it, let virtiofsd serve it on a socket, and say vhost-user-fs:SOCKET --tag NAME',
    );
  else if (stat.isFIFO()) throw unsuitable(source, 'it is a FIFO', 'give a disk image or a block device');
  else if (stat.isSocket())
    throw unsuitable(source, 'it is a socket', 'for a vhost-user back end, say vhost-user-blk:PATH');
  else if (stat.isCharacterDevice())
    throw unsuitable(source, 'it is a character device', 'a disk needs a block device or an image file');
}
