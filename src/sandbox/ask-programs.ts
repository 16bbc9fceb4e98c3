import type { Socket } from 'node:net';
import type { AttachmentRecord } from '../api/attachment.ts';
import type { ExchangeOptions } from '../api/hypervisor.ts';
import type { PeerCheck } from '../api/plan.ts';
import { askBackEnd } from '../host/vhost-user/ask-back-end.ts';
import type { BackEndConnection } from '../host/vhost-user/back-end-connection.ts';
import { leaveBackEnd } from '../host/vhost-user/leave-back-end.ts';
import { refusedPeer } from '../operations/back-end-errors.ts';
import { starting } from './start-errors.ts';

/** Programs behind sockets that have said what they are. */
export interface AskedPrograms extends Disposable {
  /** What QEMU is to inherit, by its name of the device. */
  readonly connections: ReadonlyMap<string, Socket>;
}

/**
 * Asks the program behind the socket of each device what it is, one after the other: QEMU, which asks it
 * too, would never get ready when it is not answered. A connection that QEMU is to inherit stays open
 * until the result is disposed of. After a refusal no other program is asked, for it may serve one client only.
 * @param options its milliseconds are those for each program
 * @throws VmplugError `not-vhost-user`, `backend-silent`, `socket-not-served`, each by the device's source;
 *   `aborted`
 */
export async function askPrograms(
  attachments: readonly AttachmentRecord[],
  options: ExchangeOptions,
): Promise<AskedPrograms> {
  using undo = new DisposableStack();
  const connections = new Map<string, Socket>();
  for (const attachment of attachments) {
    const { plan } = attachment;
    const peer = plan.steps.find(({ run }) => run.peer !== undefined)?.run.peer;
    if (peer === undefined) continue;
    const connection = undo.use(await ask(attachment, peer, options));
    if (peer.afterwards === 'leave') await leaveBackEnd(connection);
    else connections.set(plan.vmmId, connection.socket);
  }
  const open = undo.move();
  return { connections, [Symbol.dispose]: () => open.dispose() };
}

async function ask(
  attachment: AttachmentRecord,
  { connectTo }: PeerCheck,
  options: ExchangeOptions,
): Promise<BackEndConnection> {
  try {
    return await askBackEnd(connectTo, options);
  } catch (error) {
    throw (await refusedPeer(attachment, error, starting)) ?? error;
  }
}
