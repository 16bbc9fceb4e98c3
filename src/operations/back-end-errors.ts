import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
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

/** What serves the socket answered with something else. */
export function notVhostUser({ source, sandbox }: AttachmentRecord, cause: unknown): VmplugError {
  return new VmplugError('not-vhost-user', {
    action: 'attach',
    subject: source,
    reason: 'what answers on the socket does not speak vhost-user, or hung up at once',
    hint: `see that the path is the back end's, that it is of this kind, and what it printed; nothing was changed in ${sandbox}`,
    cause,
  });
}

/**
 * The VMM does nothing but wait for a program that does not answer; QEMU's main loop does. Names the
 * program, by the process that serves the socket.
 * @param paths where the processes are looked for
 */
export async function silentBackEnd(
  { id, sandbox, source }: AttachmentRecord,
  { socket }: HostVhostUser,
  cause: unknown,
  paths?: HostPaths,
): Promise<VmplugError> {
  const owner = await socketOwner(socket, paths);
  const program = owner === undefined ? 'the program' : `process ${owner.pid} (${owner.command})`;
  const end = owner === undefined ? 'end that program' : `end that program (kill ${owner.pid})`;
  return new VmplugError('backend-silent', {
    action: 'attach',
    subject: source,
    reason: `the VMM waits for ${program} behind the socket, which does not answer it, and does nothing else meanwhile`,
    hint: `${end}: then the VMM goes on, and the next command on ${sandbox} settles it: what was begun is undone, what is plugged can be detached`,
    cause,
    facts: {
      device: id,
      socket,
      ...(owner === undefined ? {} : { pid: owner.pid, command: owner.command }),
    },
  });
}
