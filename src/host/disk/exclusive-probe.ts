import { closeSync, constants, openSync } from 'node:fs';
import { errnoOf } from '../source-errors.ts';

const tries = 5;

/**
 * Whether somebody in the kernel has a block node for itself: a mount in any namespace, swap,
 * device-mapper, md, ZFS (open(2): O_EXCL without O_CREAT). False when it cannot be opened.
 *
 * Asking means having it exclusively for some microseconds, and another vmplug may ask at the
 * same moment, so a first "yes" is not believed. Blocks for about 10 ms when the answer is yes.
 */
export function heldExclusively(path: string): boolean {
  for (let left = tries; left > 0; left--) {
    try {
      closeSync(openSync(path, constants.O_RDONLY | constants.O_EXCL | constants.O_NONBLOCK));
      return false;
    } catch (error) {
      if (errnoOf(error) !== 'EBUSY') return false;
      Atomics.wait(pause, 0, 0, 1 + Math.random() * 2);
    }
  }
  return true;
}

const pause = new Int32Array(new SharedArrayBuffer(4));
