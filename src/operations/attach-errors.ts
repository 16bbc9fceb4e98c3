import type { AttachmentRecord } from '../api/attachment.ts';
import { hasCode, VmplugError } from '../api/errors.ts';
import type { Evidence } from '../api/evidence.ts';
import type { Confirmation } from './confirm.ts';
import type { Deadline } from './deadline.ts';
import type { Settled } from './settle.ts';

/** The VMM said yes to the plug and then stopped answering. */
export function silent({ id, sandbox, source }: AttachmentRecord, cause: unknown): VmplugError {
  return new VmplugError('deadline-passed', {
    action: 'attach',
    subject: source,
    reason: `the VM has it as ${id}, but its VMM has stopped answering`,
    hint: `does the VM hang? The next command on ${sandbox} asks it again, as vmplug doctor --repair does`,
    cause,
    facts: { device: id },
  });
}

/** The connection was lost on the way, and the VMM has been asked since. */
export function lost(attachment: AttachmentRecord, settled: Settled, cause: unknown): VmplugError {
  return new VmplugError(settled === 'gone' ? 'vm-gone' : 'outcome-unknown', {
    action: 'attach',
    subject: attachment.source,
    reason: `the connection to the VMM was lost; asked again, it ${settledWords[settled]}`,
    hint: settledHints[settled](attachment),
    cause,
    facts: { device: attachment.id, settled },
  });
}

const settledHints: Readonly<Record<Settled, (attachment: AttachmentRecord) => string>> = {
  gone: ({ sandbox }) => `vmplug sandbox forget ${sandbox} removes the record of the VM`,
  released: () => 'try again',
  attached: ({ id }) => `vmplug inspect ${id} shows it`,
  detaching: ({ sandbox, id }) => `to wait for it: vmplug detach ${sandbox} ${id}`,
};

const settledWords = {
  gone: 'has ended; nothing is attached any more',
  released: 'does not have the device; everything was undone',
  attached: 'has the device; it is recorded as attached',
  detaching: 'still has the device, and was asked to let go of it',
} as const;

/** The image is open elsewhere. */
export function locked(attachment: AttachmentRecord, cause: unknown): VmplugError {
  return new VmplugError('source-locked', {
    action: 'attach',
    subject: attachment.source,
    reason: 'another process has the image locked, as a running VM does with its disks',
    hint: 'stop what uses it (lslocks and fuser show who), or attach with --read-only if that side reads only too',
    cause,
  });
}

/** The VMM said no, in its own words; other errors stay as they are. */
export function refused(attachment: AttachmentRecord, error: unknown): unknown {
  if (!hasCode(error, 'vmm-refused')) return error;
  return new VmplugError('vmm-refused', {
    action: 'attach',
    subject: attachment.source,
    reason: `${attachment.sandbox}'s VMM said: ${error.reason}`,
    hint: /Permission denied/.test(error.reason)
      ? 'the VMM runs as another user: let that user read and write the image'
      : 'nothing was changed; vmplug attach --dry-run shows the commands',
    cause: error.cause,
  });
}

/** Somebody found that the VM has ended, and freed what its devices held. */
export function freedMeanwhile(attachment: AttachmentRecord): VmplugError {
  return new VmplugError('vm-gone', {
    action: 'attach',
    subject: attachment.source,
    reason: `the VM of ${attachment.sandbox} ended meanwhile, and what its devices held was freed`,
    hint: 'vmplug sandbox ls shows which VMs run',
    facts: { device: attachment.id },
  });
}

/** The device is in the VM, and the journal says only that it was on its way: the next command settles it. */
export function notRecorded(attachment: AttachmentRecord, error: unknown): unknown {
  if (!hasCode(error, 'state-unavailable', 'state-damaged')) return error;
  return new VmplugError(error.code, {
    action: 'attach',
    subject: attachment.source,
    reason: `the VM has it as ${attachment.id}, but that could not be recorded: ${error.message}`,
    hint: `${error.hint ?? 'make the state writable'}; then vmplug doctor --repair records it`,
    cause: error,
    facts: { device: attachment.id },
  });
}

/** It is in the VM, and the evidence did not come in time. */
export function notSeen(
  attachment: AttachmentRecord,
  { evidence = 'acknowledged' }: Confirmation,
  wanted: Evidence,
  deadline: Deadline,
): VmplugError {
  const gaveUp = deadline.signal?.aborted === true;
  return new VmplugError(gaveUp ? 'aborted' : 'deadline-passed', {
    action: 'attach',
    subject: attachment.source,
    reason: gaveUp
      ? `given up while waiting for the guest; it is in the VM as ${attachment.id}, ${evidence}`
      : `the VM has it as ${attachment.id}, but the guest did not get further than ${evidence} (wanted: ${wanted}) in ${deadline.milliseconds} ms`,
    hint: `is the driver for ${attachment.driver} loaded in the guest, and is the guest up? It stays attached: vmplug inspect ${attachment.id} asks again, vmplug detach ${attachment.sandbox} ${attachment.id} takes it out`,
    facts: { device: attachment.id, evidence },
  });
}
