import { VmplugError } from '../../../api/errors.ts';
import type { GaveUp } from './limits.ts';

// The errors of a connection that ends and of commands that get no answer. Everywhere
// `facts.sent` says whether the VMM may have got the command.

/** Why a connection ended; undefined when this process closed it. */
export type Ending = VmplugError | undefined;

/** The socket was lost: the VMM ended, or cut us off. */
export function lostSocket(path: string, cause: Error | undefined, pendingBytes: number): VmplugError {
  const how =
    cause === undefined ? 'the VMM closed the connection' : `the connection broke (${cause.message})`;
  return new VmplugError('vm-gone', {
    action: 'talk QMP over',
    subject: path,
    reason: pendingBytes > 0 ? `${how} in the middle of a message` : how,
    cause,
    facts: { reason: 'closed' },
  });
}

/** The VMM said what QMP doesn't allow. After that no reply can be trusted to belong to its command. */
export function brokenProtocol(path: string, reason: string, cause?: unknown): VmplugError {
  return new VmplugError('protocol-error', { action: 'talk QMP over', subject: path, reason, cause });
}

/** The error for a command that was waiting when the connection ended. */
export function cutOff(command: string, path: string, sent: boolean, ending: Ending): VmplugError {
  if (sent) {
    return new VmplugError('outcome-unknown', {
      action: `run ${command} over`,
      subject: path,
      reason: `it was sent, and then ${ending === undefined ? 'this process closed the connection' : ending.reason}`,
      hint: 'ask the VMM what it has before trying again',
      cause: ending,
      facts: { sent: true, command },
    });
  }
  return new VmplugError(ending?.code ?? 'aborted', {
    action: `run ${command} over`,
    subject: path,
    reason: `it was not sent: ${ending?.reason ?? 'this process closed the connection'}`,
    cause: ending,
    facts: { sent: false, command, reason: 'closed' },
  });
}

/** The error for a command whose caller waits no longer; the connection goes on. */
export function givenUp(command: string, path: string, sent: boolean, why: GaveUp): VmplugError {
  return new VmplugError(why.code, {
    action: `run ${command} over`,
    subject: path,
    reason: sent ? `${why.reason}; the VMM may still carry it out` : `${why.reason}; it was not sent`,
    cause: why.cause,
    facts: { sent, command },
  });
}

/** The error for a command with a descriptor when the kernel has no room for it. */
export function notTaken(command: string, path: string): VmplugError {
  return new VmplugError('monitor-busy', {
    action: `run ${command} over`,
    subject: path,
    reason: 'the VMM has not read what was sent before, so a descriptor cannot be sent to it; nothing was',
    hint: 'the VMM may hang; wait for earlier commands before sending more',
    facts: { sent: false, command },
  });
}

/** The error for one command too many. */
export function tableFull(command: string, path: string, pending: number): VmplugError {
  return new VmplugError('monitor-busy', {
    action: `run ${command} over`,
    subject: path,
    reason: `${pending} commands wait for the VMM's answer already`,
    hint: 'the VMM may hang; wait for earlier commands before sending more',
    facts: { sent: false, command, pending },
  });
}
