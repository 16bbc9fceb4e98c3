/**
 * A program that serves a socket as a vhost-user back end should not: `SOCKET MANNER`.
 *
 * - `closes`: hangs up on whoever connects;
 * - `garbage`: answers each message with bytes that are no vhost-user message;
 * - `silent`: reads and never answers;
 * - `silent-later`, `closes-later`: answers the first two questions, which are for its features and those of the
 *   protocol, as a back end does, and is silent or hangs up from then on, whoever asks.
 *
 * A message of the protocol (QEMU's docs/interop/vhost-user) is a request, flags and a size of 32 bits
 * each, then the payload.
 */
import { createServer, type Socket } from 'node:net';

const headerBytes = 12;
const answer = 0b101;
const virtioVersion1 = 1n << 32n;
const protocolFeatures = 1n << 30n;
const getFeatures = 1;
let questions = 0;

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
      const request = waiting.readUInt32LE(0);
      waiting = waiting.subarray(headerBytes + waiting.readUInt32LE(8));
      questions += 1;
      if (manner === 'garbage') socket.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      else if (questions <= 2) socket.write(reply(request));
      else if (manner === 'closes-later') socket.destroy();
    }
  });
}

function reply(request: number): Buffer {
  const bytes = Buffer.alloc(headerBytes + 8);
  [request, answer, 8].forEach((field, index) => bytes.writeUInt32LE(field, index * 4));
  bytes.writeBigUInt64LE(request === getFeatures ? virtioVersion1 | protocolFeatures : 0n, headerBytes);
  return bytes;
}
