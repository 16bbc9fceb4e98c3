import type { ExchangeOptions, Observation } from '../../api/hypervisor.ts';
import { QomReader, type Batch } from './qom-reader.ts';
import { chardevReply, readReply } from './replies.ts';

/** QEMU's models that can have a program behind a socket. */
const servedModel = /^(vhost-user-.*|virtio-net)-pci$/;

/**
 * Whether the program that serves a device over a socket is still there: QEMU describes a character
 * device whose other end has hung up as `disconnected:unix:PATH` or `disconnected:fd:NAME` (`query-chardev`). Without
 * `reconnect` it stays so, whoever serves the socket later.
 * @returns `undefined` for a device without a connection of ours
 */
export async function backEndConnection(
  batch: Batch,
  vmmId: string,
  model: string,
  options: ExchangeOptions,
): Promise<Observation['backend']> {
  if (!servedModel.test(model)) return undefined;
  const reply = await new QomReader(batch, options).ask({ execute: 'query-chardev' });
  const connection = readReply(chardevReply, reply ?? [], 'query-chardev').find(
    ({ label }) => label === vmmId,
  );
  if (connection === undefined) return undefined;
  return connection.filename?.startsWith('disconnected:') === true ? 'lost' : 'connected';
}
