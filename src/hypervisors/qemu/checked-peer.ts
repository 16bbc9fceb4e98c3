import type { ExchangeOptions } from '../../api/hypervisor.ts';
import type { JsonValue } from '../../api/json.ts';
import type { Command, PeerCheck } from '../../api/plan.ts';
import { descriptorOf } from '../../host/sys/descriptor-of.ts';
import { descriptorSender, type SendDescriptor } from '../../host/sys/send-descriptor.ts';
import { askBackEnd } from '../../host/vhost-user/ask-back-end.ts';
import type { BackEndConnection } from '../../host/vhost-user/back-end-connection.ts';
import { leaveBackEnd } from '../../host/vhost-user/leave-back-end.ts';
import type { QmpCommand, SendWithDescriptor, WaitOptions } from './qmp/index.ts';

type Send = (commands: readonly QmpCommand[], options: WaitOptions) => Promise<JsonValue>[];

/** The least time for the commands after a check, in milliseconds: QEMU asks the same questions again. */
const leastMs = 2_000;

/**
 * Checks the program behind the socket of `peer`, and sends `commands` when it is what it should be. QEMU, which
 * reads from a back end with everything else standing still, would wait for a wrong one without end.
 * @param options `signal` gives up the check
 * @throws VmplugError as `askBackEnd`; nothing was sent then
 */
export function submitChecked(
  send: Send,
  commands: readonly Command[],
  peer: PeerCheck,
  options: ExchangeOptions,
): Promise<JsonValue>[] {
  const all = checkAndSend(send, commands, peer, options);
  return commands.map((_, index) => {
    const reply = all.then((replies) => replies[index] ?? null);
    // As of a batch, none has to be handled.
    reply.catch(() => undefined);
    return reply;
  });
}

async function checkAndSend(
  send: Send,
  commands: readonly Command[],
  peer: PeerCheck,
  options: ExchangeOptions,
): Promise<Promise<JsonValue>[]> {
  const started = performance.now();
  using connection = await askBackEnd(peer.connectTo, options);
  const handOver = peer.afterwards === 'hand-over' ? await descriptorSender() : undefined;
  if (peer.afterwards === 'leave') await leaveBackEnd(connection);
  const left = options.timeoutMs - (performance.now() - started);
  const replies = send(
    commands.map(({ execute, arguments: args, peer: own }) => ({
      execute,
      arguments: args,
      ...(own === peer && handOver !== undefined ? { send: handingOver(handOver, connection) } : {}),
    })),
    // Not the caller's signal: what has gone out is not given up.
    { timeoutMs: Math.max(left, leastMs) },
  );
  // QEMU has a descriptor of its own by then, or never will.
  const index = commands.findIndex((command) => command.peer === peer);
  await Promise.allSettled(replies.slice(index, index + 1));
  return replies;
}

function handingOver(send: SendDescriptor, { socket: checked }: BackEndConnection): SendWithDescriptor {
  return (socket, bytes) => {
    const descriptor = descriptorOf(checked);
    return descriptor === undefined ? 0 : send(socket, bytes, descriptor);
  };
}
