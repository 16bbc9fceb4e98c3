import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
import { hostPathOf } from '../api/host-device.ts';
import { sourceMeaning } from '../host/source-meaning.ts';

const shortestPrefix = 4;

export interface FindOptions {
  /** Where it is looked for, for the error. */
  readonly sandbox?: string;
  /** What a relative source is relative to; the process's own by default. */
  readonly cwd?: string;
}

/**
 * Finds a device by what a person would call it: its id, the beginning of it (4 characters or
 * more), its source as it was given, the real path of it, or another spelling of its source.
 * @throws VmplugError `device-not-found`; `invalid-argument` when several fit
 */
export async function findDevice(
  attachments: readonly AttachmentRecord[],
  text: string,
  { sandbox, cwd = process.cwd() }: FindOptions = {},
): Promise<AttachmentRecord> {
  const ways: ((device: AttachmentRecord) => boolean)[] = [
    ({ id }) => id === text,
    ({ id }) => text.length >= shortestPrefix && id.startsWith(text),
    ({ source, host }) => source === text || hostPathOf(host) === text,
  ];
  const quick = ways.map((way) => attachments.filter(way)).find((fitting) => fitting.length > 0);
  const found = quick ?? (await meant(attachments, text, cwd));
  const [first, ...others] = found;
  if (first === undefined) {
    throw new VmplugError('device-not-found', {
      action: 'find the device',
      subject: text,
      reason: sandbox === undefined ? 'no sandbox has it' : `${sandbox} does not have it`,
      hint: `vmplug ls${sandbox === undefined ? '' : ` ${sandbox}`} lists what there is`,
    });
  }
  if (others.length > 0) {
    throw new VmplugError('invalid-argument', {
      action: 'find the device',
      subject: text,
      reason: `${found.length} devices fit: ${found.map(({ id }) => id).join(', ')}`,
      hint: 'give the whole id',
    });
  }
  return first;
}

async function meant(
  attachments: readonly AttachmentRecord[],
  text: string,
  cwd: string,
): Promise<AttachmentRecord[]> {
  if (attachments.length === 0) return [];
  const isMeant = await sourceMeaning(text, cwd);
  return attachments.filter(({ host }) => isMeant(host));
}
