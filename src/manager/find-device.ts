import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
import { hostPathOf } from '../api/host-device.ts';

const shortestPrefix = 4;

/**
 * Finds a device by what a person would call it: its id, the beginning of it (4 characters or
 * more), its source as it was given, or the image's real path.
 * @throws VmplugError `device-not-found`; `invalid-argument` when several fit
 */
export function findDevice(
  attachments: readonly AttachmentRecord[],
  text: string,
  sandbox?: string,
): AttachmentRecord {
  const ways: ((device: AttachmentRecord) => boolean)[] = [
    ({ id }) => id === text,
    ({ id }) => text.length >= shortestPrefix && id.startsWith(text),
    ({ source, host }) => source === text || hostPathOf(host) === text,
  ];
  const found = ways.map((way) => attachments.filter(way)).find((fitting) => fitting.length > 0) ?? [];
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
