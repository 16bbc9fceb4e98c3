import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

/** A vhost-user back end that says yes to everything and never looks at its queues. */
export interface DeafResponder extends AsyncDisposable {
  readonly socket: string;
  /** Ends it as the handle does: those that are connected see it hang up. */
  end(): Promise<void>;
  /** How many have connected so far. */
  connections(): number;
}

/** Bits of vhost-user's and virtio's features: protocol features can be asked for; virtio 1. */
const features = (1n << 30n) | (1n << 32n);

/** Requests of the front end that are answered, by number (vhost-user protocol, front-end message types). */
const request = { getFeatures: 1, getVringBase: 11, getProtocolFeatures: 15, getQueueNum: 17, getConfig: 24 };

/** Header of every message: request, flags, size of the payload. */
const headerBytes = 12;

/** Version 1, and that this is a reply. */
const replyFlags = 0b101;

/**
 * Serves a vhost-user socket from within this process. A guest's driver that waits for an answer on a queue of
 * such a device waits for ever, and cannot let go of it.
 */
export async function startDeafResponder(socket: string): Promise<DeafResponder> {
  const clients = new Set<Socket>();
  let accepted = 0;
  const server = createServer((client) => {
    accepted += 1;
    clients.add(client);
    client.once('close', () => clients.delete(client)).on('error', () => {});
    answer(client);
  }).listen(socket);
  await once(server, 'listening');
  const closed = once(server, 'close');
  const end = async (): Promise<void> => {
    server.close();
    for (const client of clients) client.destroy();
    await closed;
  };
  return { socket, connections: () => accepted, end, [Symbol.asyncDispose]: end };
}

/** Descriptors that come with messages are dropped by the kernel: nobody here receives them. */
function answer(client: Socket): void {
  let bytes: Buffer = Buffer.alloc(0);
  client.on('data', (more: Buffer) => {
    bytes = Buffer.concat([bytes, more]);
    while (bytes.length >= headerBytes) {
      const end = headerBytes + bytes.readUInt32LE(8);
      if (bytes.length < end) return;
      const reply = replyTo(bytes.readUInt32LE(0), bytes.subarray(headerBytes, end));
      if (reply !== undefined) client.write(reply);
      bytes = bytes.subarray(end);
    }
  });
}

function replyTo(kind: number, payload: Buffer): Buffer | undefined {
  switch (kind) {
    case request.getFeatures:
      return message(kind, wide(features));
    case request.getProtocolFeatures:
      return message(kind, wide(0n));
    case request.getQueueNum:
      return message(kind, wide(8n));
    case request.getConfig:
      return message(kind, payload);
    case request.getVringBase:
      // The queue's number, and that nothing of it was taken.
      return message(kind, Buffer.concat([payload.subarray(0, 4), Buffer.alloc(4)]));
    default:
      return undefined;
  }
}

function message(kind: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(kind, 0);
  header.writeUInt32LE(replyFlags, 4);
  header.writeUInt32LE(payload.length, 8);
  return Buffer.concat([header, payload]);
}

function wide(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}
