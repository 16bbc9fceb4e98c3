import { hasCode, VmplugError } from '../../api/errors.ts';
import type { RefusalMeaning } from './faults.ts';

/** The machine's no, with QEMU's words. */
export class Refusal extends Error {
  readonly meaning: RefusalMeaning;
  readonly errorClass: string;

  constructor(text: string, meaning: RefusalMeaning = 'other', errorClass?: string) {
    super(text);
    this.meaning = meaning;
    this.errorClass = errorClass ?? (meaning === 'not-found' ? 'DeviceNotFound' : 'GenericError');
  }
}

/** The error for a command that the machine refused. */
export function refused(command: string, machine: string, refusal: Refusal): VmplugError {
  return new VmplugError('vmm-refused', {
    action: `run ${command} in`,
    subject: machine,
    reason: refusal.message,
    cause: { class: refusal.errorClass, desc: refusal.message },
    facts: { command, class: refusal.errorClass, meaning: refusal.meaning },
  });
}

/** Whether `error` is a refusal with that meaning. */
export function means(error: unknown, meaning: RefusalMeaning): boolean {
  return hasCode(error, 'vmm-refused') && error.facts['meaning'] === meaning;
}

/** The VM has ended. */
export function vmGone(command: string, machine: string): VmplugError {
  return new VmplugError('vm-gone', {
    action: `run ${command} in`,
    subject: machine,
    reason: 'it was not sent: the VM has ended',
    facts: { sent: false, command, reason: 'refused' },
  });
}

/** The connection was lost before the command went out. */
export function unsent(command: string, machine: string): VmplugError {
  return new VmplugError('vm-gone', {
    action: `run ${command} in`,
    subject: machine,
    reason: 'it was not sent: the connection was lost before',
    facts: { sent: false, command, reason: 'closed' },
  });
}

/** The connection was lost after the command went out. */
export function lost(command: string, machine: string): VmplugError {
  return new VmplugError('outcome-unknown', {
    action: `run ${command} in`,
    subject: machine,
    reason: 'it was sent, and then the connection was lost',
    hint: 'ask the VMM what it has before trying again',
    facts: { sent: true, command },
  });
}

/** The caller's patience has ended, by its deadline or by its signal. */
export function givenUp(
  command: string,
  machine: string,
  sent: boolean,
  code: 'deadline-passed' | 'aborted',
): VmplugError {
  const why = code === 'aborted' ? 'the caller gave up' : 'no answer came in time';
  return new VmplugError(code, {
    action: `run ${command} in`,
    subject: machine,
    reason: sent ? `${why}; the VMM may still carry it out` : `${why}; it was not sent`,
    facts: { sent, command },
  });
}
