import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../host.testing.ts';
import { askBackEnd } from './ask-back-end.ts';
import { leaveBackEnd } from './leave-back-end.ts';

const features = (1n << 32n) | (1n << 30n);

/** A reply of 8 bytes as the protocol has it, on a little-endian host. */
function replyTo(request: number, value: bigint, flags = 5, size = 8): Buffer {
  const bytes = Buffer.alloc(20);
  [request, flags, size].forEach((field, index) => bytes.writeUInt32LE(field, index * 4));
  bytes.writeBigUInt64LE(value, 12);
  return bytes;
}

type Answer = (request: number, socket: Socket) => void;

/** Answers each message in its own manner, until the test ends. */
async function peer(directory: string, answer: Answer, greet: (socket: Socket) => void = () => undefined) {
  const path = join(directory, 'back-end.sock');
  const asked: number[] = [];
  const open = new Set<Socket>();
  const ends: Promise<unknown>[] = [];
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    ends.push(once(socket, 'close').catch(() => undefined));
    socket.on('data', (bytes: Buffer) => {
      for (let at = 0; at < bytes.length; at += 12) {
        asked.push(bytes.readUInt32LE(at));
        answer(bytes.readUInt32LE(at), socket);
      }
    });
    greet(socket);
  }).listen(path);
  await once(server, 'listening');
  return {
    path,
    asked,
    /** When every client has gone. */
    left: () => Promise.all(ends),
    say: (bytes: Buffer) => open.forEach((socket) => socket.write(bytes)),
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}

const fine: Answer = (request, socket) => void socket.write(replyTo(request, request === 1 ? features : 0n));

const patience = { timeoutMs: 30_000 };
const impatience = { timeoutMs: 100 };

test('what answers as it should is asked for its features and those of the protocol, and stays connected', async () => {
  using directory = temporaryDirectory();
  await using server = await peer(directory.path, fine);
  using connection = await askBackEnd(server.path, patience);
  expect(server.asked).toEqual([1, 15]);
  expect(connection.isConnected).toBe(true);
});

test('what offers no protocol features is not asked for them', async () => {
  using directory = temporaryDirectory();
  await using server = await peer(
    directory.path,
    (request, socket) => void socket.write(replyTo(request, 1n)),
  );
  using connection = await askBackEnd(server.path, patience);
  expect([server.asked, connection.isConnected]).toEqual([[1], true]);
});

test('answers may come byte by byte', async () => {
  using directory = temporaryDirectory();
  const slow = async (bytes: Buffer, socket: Socket): Promise<void> => {
    for (const byte of bytes) {
      await new Promise((resolve) => socket.write(Buffer.from([byte]), resolve));
      await setImmediate();
    }
  };
  await using server = await peer(
    directory.path,
    (request, socket) => void slow(replyTo(request, features), socket),
  );
  using connection = await askBackEnd(server.path, patience);
  expect([server.asked, connection.isConnected]).toEqual([[1, 15], true]);
});

test('nothing that comes later is read: it is for whom the connection is handed to', async () => {
  using directory = temporaryDirectory();
  await using server = await peer(directory.path, fine);
  using connection = await askBackEnd(server.path, patience);
  server.say(Buffer.from('for QEMU'));
  for (let turn = 0; turn < 50; turn += 1) await setImmediate();
  expect(connection.received).toHaveLength(0);
  connection.socket.resume();
  await connection.changed();
  expect(connection.received.toString()).toBe('for QEMU');
});

describe('what does not speak vhost-user', () => {
  test.each<[string, Answer]>([
    ['hangs up', (_, socket) => void socket.destroy()],
    ['hangs up in the middle of an answer', (_, socket) => void socket.end(replyTo(1, 0n).subarray(0, 15))],
    ['answers in words', (_, socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['begins to answer in words, and says no more', (_, socket) => void socket.write('H')],
    ['answers another request', (request, socket) => void socket.write(replyTo(request + 1, 0n))],
    ['does not mark the answer as one', (request, socket) => void socket.write(replyTo(request, 0n, 1))],
    ['has another version', (request, socket) => void socket.write(replyTo(request, 0n, 6))],
    ['answers with another size', (request, socket) => void socket.write(replyTo(request, 0n, 5, 4))],
    [
      'says more than was asked',
      (_, socket) => void socket.write(Buffer.concat([replyTo(1, 1n), replyTo(1, 1n)])),
    ],
    [
      'answers the second question with something else',
      (request, socket) => void socket.write(replyTo(1, request === 1 ? features : 0n)),
    ],
  ])('%s', async (_, answer) => {
    using directory = temporaryDirectory();
    await using server = await peer(directory.path, answer);
    await expect(askBackEnd(server.path, patience)).rejects.toMatchObject({ code: 'not-vhost-user' });
    await server.left();
  });

  test('speaks unasked, as a QMP socket does', async () => {
    using directory = temporaryDirectory();
    await using server = await peer(
      directory.path,
      () => undefined,
      (socket) => void socket.write('{"QMP": {}}\r\n'),
    );
    await expect(askBackEnd(server.path, patience)).rejects.toMatchObject({ code: 'not-vhost-user' });
  });
});

describe('what stays silent', () => {
  test.each<[string, Answer]>([
    ['from the start', () => undefined],
    [
      'in the middle of an answer',
      (request, socket) => void socket.write(replyTo(request, 0n).subarray(0, 19)),
    ],
    [
      'after the first answer',
      (request, socket) => void (request === 1 && socket.write(replyTo(1, features))),
    ],
  ])('%s', async (_, answer) => {
    using directory = temporaryDirectory();
    await using server = await peer(directory.path, answer);
    await expect(askBackEnd(server.path, impatience)).rejects.toMatchObject({ code: 'backend-silent' });
    await server.left();
  });

  test('until the caller gives up', async () => {
    using directory = temporaryDirectory();
    const stop = new AbortController();
    await using server = await peer(directory.path, () => stop.abort());
    const asking = askBackEnd(server.path, { ...patience, signal: stop.signal });
    await expect(asking).rejects.toMatchObject({ code: 'aborted' });
  });
});

test('a socket that nobody listens on is not served', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'nobody.sock');
  await expect(askBackEnd(path, patience)).rejects.toMatchObject({ code: 'socket-not-served' });
});

test('leaving waits until the other side has hung up too', async () => {
  using directory = temporaryDirectory();
  await using server = await peer(directory.path, fine);
  await leaveBackEnd(await askBackEnd(server.path, patience));
  await server.left();
});
