import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
import type { Deadline } from './deadline.ts';
import type { UnplugOutcome } from './unplug-machine.ts';

/** How an unplug ended that did not release the device. */
export interface UnplugEnd {
  readonly outcome: Exclude<UnplugOutcome, 'released'>;
  /** Whether the guest was asked at all. */
  readonly requested: boolean;
  readonly deadline: Deadline;
  /** The program that served the device has ended. */
  readonly backend?: 'lost';
}

/** The guest did not let go. */
export function notReleased(sandbox: string, attachment: AttachmentRecord, end: UnplugEnd): VmplugError {
  const { outcome, requested, deadline, backend } = end;
  const again = `vmplug detach ${sandbox} ${attachment.id}`;
  const details = {
    action: 'detach',
    subject: attachment.source,
    facts: { device: attachment.id, outcome, requested, ...(backend === undefined ? {} : { backend }) },
  };
  if (outcome === 'refused') {
    return new VmplugError('unplug-refused', {
      ...details,
      reason: 'the guest refused to let go of it',
      hint: `unmount it in the guest, then: ${again}`,
    });
  }
  if (deadline.signal?.aborted === true) {
    return new VmplugError('aborted', {
      ...details,
      reason: requested
        ? 'given up while waiting for the guest; the request stands'
        : 'given up before the guest was asked; it stays attached',
      hint: `to ${requested ? 'wait again' : 'detach it'}: ${again}`,
    });
  }
  if (outcome === 'paused') {
    return new VmplugError('deadline-passed', {
      ...details,
      reason: requested
        ? 'the VM was paused while its guest was asked to let go; it will when it runs again'
        : 'the VM was paused before its guest could be asked; it stays attached',
      hint: `resume the VM, then: ${again}`,
    });
  }
  if (backend === 'lost' && requested) {
    return new VmplugError('deadline-passed', {
      ...details,
      reason: `the program that served it has ended, and the guest did not let go of it in ${deadline.milliseconds} ms: it may wait for an answer for ever; everything stays reserved until it lets go or the VM ends`,
      hint: `to end the VM, which frees it: vmplug sandbox stop ${sandbox}; to ask and wait again: ${again}`,
    });
  }
  return new VmplugError('deadline-passed', {
    ...details,
    reason: requested
      ? `the guest did not let go of it in ${deadline.milliseconds} ms; the request stands, and everything stays reserved until it does`
      : `its driver did not run in the guest within ${deadline.milliseconds} ms, and this VMM loses a request sent before that; nothing was sent, it stays attached`,
    hint: requested
      ? `is the guest up, and does nothing there use it any more? To ask and wait again: ${again} --timeout 60s`
      : `is the guest up, and is the driver loaded there? To try again: ${again} --timeout 60s`,
  });
}

/** The VMM refused to ask the guest. */
export function refusedByVmm(sandbox: string, attachment: AttachmentRecord, error: VmplugError): VmplugError {
  return new VmplugError('unplug-refused', {
    action: 'detach',
    subject: attachment.source,
    reason: `${sandbox}'s VMM said: ${error.reason}`,
    hint: 'it stays attached',
    cause: error.cause,
    facts: { device: attachment.id },
  });
}

/** The guest let go, and the VMM keeps the back end. */
export function notFreed(attachment: AttachmentRecord, error: VmplugError): VmplugError {
  return new VmplugError('vmm-refused', {
    action: 'release the back end of',
    subject: attachment.source,
    reason: `the guest let go of it, but the VMM keeps the image open: ${error.reason}`,
    hint: 'it stays claimed; the next command or vmplug doctor --repair tries again',
    cause: error.cause,
    facts: { device: attachment.id },
  });
}
