import type { UnplugReply } from '../../api/hypervisor.ts';
import { qmpErrorOf } from './qmp/index.ts';

/**
 * What QEMU means by refusing a command. It has one error class for nearly everything, so the
 * words are looked at; those of 7.2 and 10.0 are both known here, and only here.
 */

/** What a refused `device_del` means; `undefined` when it is a real refusal. */
export function unplugReplyOf(error: unknown): UnplugReply | undefined {
  const refusal = qmpErrorOf(error);
  if (refusal === undefined) return undefined;
  if (refusal.class === 'DeviceNotFound') return 'gone';
  if (/already in the process of unplug/.test(refusal.desc)) return 'pending';
  if (/guest is busy|not allowed while migrating/.test(refusal.desc)) return 'busy';
  return undefined;
}

const placeTaken = [
  // PCI
  /not available for .*in use/,
  /already occupied/,
  /no slot\/function available/,
  // SCSI
  /lun already used/,
  // channel devices
  /^Device [0-9a-f]+\.[0-3]\.[0-9a-f]+ already exists$/,
  // memory
  /^slot \d+ is busy$/,
  /no free slots available/,
];

/** Whether a `device_add` failed because something sits at the place. */
export function isPlaceTaken(error: unknown): boolean {
  const refusal = qmpErrorOf(error);
  return refusal !== undefined && placeTaken.some((words) => words.test(refusal.desc));
}

/** Whether a release failed because there is nothing left to release. */
export function isAlreadyReleased(error: unknown): boolean {
  const refusal = qmpErrorOf(error);
  return (
    refusal !== undefined &&
    (refusal.class === 'DeviceNotFound' ||
      /Failed to find node|Cannot find device|not found/.test(refusal.desc))
  );
}

/** Whether a release failed because QEMU is not quite done with it: a node, an object, a character device. */
export function isStillInUse(error: unknown): boolean {
  return /is in use|(?<!^slot \d+ )is busy/.test(qmpErrorOf(error)?.desc ?? '');
}

/**
 * Whether a device was refused because what serves its socket answered with something else than
 * vhost-user messages, or hung up. Of a network card QEMU never says so: it connects again and again.
 */
export function isNotVhostUser(error: unknown): boolean {
  return saysNotVhostUser(qmpErrorOf(error)?.desc ?? '');
}

/** As {@link isNotVhostUser}, for the words with which QEMU ended. */
export function saysNotVhostUser(words: string): boolean {
  return (
    /vhost_backend_init failed|vhost_set_owner failed|vhost initialization failed/.test(words) ||
    // After a hang-up QEMU connects again; a descriptor that was handed over, or inherited, can be used once.
    /^File descriptor (?:named .* has not been found|'\d+' is not a socket)/.test(words)
  );
}

/** Whether an image could not be opened because another process holds its lock. */
export function isLocked(error: unknown): boolean {
  return saysLocked(qmpErrorOf(error)?.desc ?? '');
}

/** As {@link isLocked}, for the words with which QEMU ended. */
export function saysLocked(words: string): boolean {
  return /Failed to get .*lock/.test(words);
}
