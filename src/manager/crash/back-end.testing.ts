import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';

/** GET_FEATURES and GET_PROTOCOL_FEATURES of QEMU's docs/interop/vhost-user. */
const asked = new Set([1, 15]);
const headerBytes = 12;
const versionAndReply = 0x5;

/** Serves a socket as a vhost-user back end does at first: it says its features, of which it has none. */
export async function serveBackEnd(path: string): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let waiting = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (bytes: Buffer) => {
      waiting = Buffer.concat([waiting, bytes]);
      while (waiting.length >= headerBytes) {
        const request = waiting.readUInt32LE(0);
        waiting = waiting.subarray(headerBytes + waiting.readUInt32LE(8));
        if (asked.has(request)) socket.write(noFeatures(request));
      }
    });
  }).listen(path);
  await once(server, 'listening');
  return {
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function noFeatures(request: number): Buffer {
  const reply = Buffer.alloc(headerBytes + 8);
  reply.writeUInt32LE(request, 0);
  reply.writeUInt32LE(versionAndReply, 4);
  reply.writeUInt32LE(8, 8);
  return reply;
}
