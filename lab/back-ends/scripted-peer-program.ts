/**
 * A program that serves a socket as a vhost-user back end should not: `SOCKET MANNER`.
 *
 * - `closes`: hangs up on whoever connects;
 * - `garbage`: answers each message with bytes that are no vhost-user message;
 * - `silent`: reads and never answers.
 *
 * A message of the protocol (QEMU's docs/interop/vhost-user) is a request, flags and a size of 32 bits
 * each, then the payload.
 */
import { createServer, type Socket } from 'node:net';

const headerBytes = 12;

const [path = '', manner = ''] = process.argv.slice(2);

createServer(serve).listen(path, () => process.stdout.write('ready\n'));

function serve(socket: Socket): void {
  socket.on('error', () => socket.destroy());
  if (manner === 'closes') {
    socket.destroy();
    return;
  }
  let waiting = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    if (manner === 'silent') return;
    waiting = Buffer.concat([waiting, bytes]);
    while (waiting.length >= headerBytes) {
      waiting = waiting.subarray(headerBytes + waiting.readUInt32LE(8));
      socket.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    }
  });
}
