import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
import { hostPathOf } from '../api/host-device.ts';
import { namesFileHere, sourceMeaning } from '../host/source-meaning.ts';

const shortestPrefix = 4;

export interface FindOptions {
  /** Where it is looked for, for the error. */
  readonly sandbox?: string;
  /** What a relative source is relative to; the process's own by default. */
  readonly cwd?: string;
}

/**
 * Finds a device by what a person would call it: its id, the beginning of it (4 characters or
 * more), its source as it was given, the real path of it, or another spelling of its source. A relative
 * path is the file that it names here; one that names nothing here, the source as it was given.
 * @throws VmplugError `device-not-found`; `invalid-argument` when several fit
 */
export async function findDevice(
  attachments: readonly AttachmentRecord[],
  text: string,
  { sandbox, cwd = process.cwd() }: FindOptions = {},
): Promise<AttachmentRecord> {
  const [first, ...others] = await fitting(attachments, text, cwd);
  if (first === undefined) {
    throw new VmplugError('device-not-found', {
      action: 'find the device',
      subject: text,
      reason: sandbox === undefined ? 'no sandbox has it' : `${sandbox} does not have it`,
      hint: `vmplug ls${sandbox === undefined ? '' : ` ${sandbox}`} lists what there is`,
    });
  }
  if (others.length > 0) {
    const ids = [first, ...others].map(({ id }) => id);
    throw new VmplugError('invalid-argument', {
      action: 'find the device',
      subject: text,
      reason: `${ids.length} devices fit: ${ids.join(', ')}`,
      hint: 'give the whole id',
    });
  }
  return first;
}

async function fitting(
  attachments: readonly AttachmentRecord[],
  text: string,
  cwd: string,
): Promise<AttachmentRecord[]> {
  const exact = attachments.filter(({ id }) => id === text);
  if (exact.length > 0 || attachments.length === 0) return exact;
  const isMeant = await sourceMeaning(text, cwd);
  const isGiven = namesFileHere(text, cwd) ? () => false : (source: string): boolean => source === text;
  const isBeginning = (id: string): boolean => text.length >= shortestPrefix && id.startsWith(text);
  return attachments.filter(
    ({ id, source, host }) =>
      isBeginning(id) || isGiven(source) || hostPathOf(host) === text || isMeant(host),
  );
}
