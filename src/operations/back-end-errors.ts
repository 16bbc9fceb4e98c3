import type { AttachmentRecord } from '../api/attachment.ts';
import { hasCode, VmplugError } from '../api/errors.ts';
import type { HostVhostUser } from '../api/host-device.ts';
import type { HostPaths } from '../host/host-paths.ts';
import { socketOwner } from '../host/unix-socket-owner.ts';

/** The host device, where another program serves it over a socket. */
export function servedDevice({ host }: Pick<AttachmentRecord, 'host'>): HostVhostUser | undefined {
  switch (host.kind) {
    case 'vhost-user-blk':
    case 'vhost-user-scsi':
    case 'vhost-user-net':
    case 'vhost-user-fs':
      return host;
    case 'block':
    case 'pmem':
    case 'vfio':
      return undefined;
  }
}

/** What was wanted of a device, and how a refusal of it ends. */
export interface Wish {
  readonly action: string;
  /** `nothing was changed in vm1` */
  readonly unchanged: string;
}

function attaching({ sandbox }: Pick<AttachmentRecord, 'sandbox'>): Wish {
  return { action: 'attach', unchanged: `nothing was changed in ${sandbox}` };
}

type Named = Pick<AttachmentRecord, 'source' | 'sandbox'>;

/** What serves the socket answered with something else. */
export function notVhostUser(attachment: Named, cause: unknown, wish = attaching(attachment)): VmplugError {
  return new VmplugError('not-vhost-user', {
    action: wish.action,
    subject: attachment.source,
    reason: 'what answers on the socket does not speak vhost-user, or hung up at once',
    hint: `see that the path is the back end's, that it is of this kind, and what it printed; ${wish.unchanged}`,
    cause,
  });
}

/**
 * What was found of the program behind the socket before the VMM got to it; `undefined` when `error` is
 * about something else.
 */
export async function refusedPeer(
  attachment: Named & Pick<AttachmentRecord, 'host'>,
  error: unknown,
  wish = attaching(attachment),
): Promise<VmplugError | undefined> {
  const served = servedDevice(attachment);
  if (served === undefined) return undefined;
  if (hasCode(error, 'not-vhost-user')) return notVhostUser(attachment, error, wish);
  if (hasCode(error, 'socket-not-served')) {
    const { reason, hint = 'start the back end that serves it', cause } = error;
    return new VmplugError('socket-not-served', {
      action: wish.action,
      subject: attachment.source,
      reason,
      hint: `${hint}; ${wish.unchanged}`,
      cause,
    });
  }
  if (hasCode(error, 'aborted')) {
    return new VmplugError('aborted', {
      action: 'attach',
      subject: attachment.source,
      reason: 'given up by the caller while the program behind the socket was asked what it is',
      hint: `attach it again; nothing was changed in ${attachment.sandbox}`,
      cause: error,
    });
  }
  if (!hasCode(error, 'backend-silent')) return undefined;
  const { program, facts } = await programBehind(served);
  return new VmplugError('backend-silent', {
    action: wish.action,
    subject: attachment.source,
    reason: `${program} behind the socket took the connection, and does not answer: ${error.reason}`,
    hint: `is it a vhost-user back end, and does it serve another client already? ${capitalised(wish.unchanged)}`,
    cause: error,
    facts,
  });
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The program that serves the socket of a device, for people and for programs. */
export async function programBehind(
  { socket }: HostVhostUser,
  paths?: HostPaths,
): Promise<{ program: string; facts: Record<string, string | number> }> {
  const owner = await socketOwner(socket, paths);
  if (owner === undefined) return { program: 'the program', facts: { socket } };
  const { pid, command } = owner;
  return { program: `process ${pid} (${command})`, facts: { socket, pid, command } };
}

/**
 * The VMM does nothing but wait for a program that does not answer; QEMU's main loop does. Names the
 * program, by the process that serves the socket.
 * @param paths where the processes are looked for
 */
export async function silentBackEnd(
  { id, sandbox, source }: AttachmentRecord,
  served: HostVhostUser,
  cause: unknown,
  paths?: HostPaths,
): Promise<VmplugError> {
  const { program, facts } = await programBehind(served, paths);
  const end = facts['pid'] === undefined ? 'end that program' : `end that program (kill ${facts['pid']})`;
  return new VmplugError('backend-silent', {
    action: 'attach',
    subject: source,
    reason: `the VMM waits for ${program} behind the socket, which does not answer it, and does nothing else meanwhile`,
    hint: `${end}: then the VMM goes on, and the next command on ${sandbox} settles it: what was begun is undone, what is plugged can be detached`,
    cause,
    facts: { device: id, ...facts },
  });
}
