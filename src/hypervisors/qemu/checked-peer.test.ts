import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Command, PeerCheck } from '../../api/plan.ts';
import { temporaryDirectory } from '../../host/host.testing.ts';
import { submitChecked } from './checked-peer.ts';
import type { QmpCommand } from './qmp/index.ts';

const limits = { timeoutMs: 20_000 };

/** Serves a socket; answers as a back end without protocol features, or with `words`. */
async function serve(path: string, words?: string) {
  let clients = 0;
  const gone = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    clients += 1;
    socket.on('error', () => undefined).on('close', () => gone.resolve());
    const reply = Buffer.alloc(20);
    [1, 5, 8].forEach((field, index) => reply.writeUInt32LE(field, index * 4));
    socket.on('data', () => socket.write(words ?? reply));
  }).listen(path);
  await once(server, 'listening');
  return {
    clients: () => clients,
    gone: gone.promise,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}

function commandsFor(connectTo: string, afterwards: PeerCheck['afterwards']): [PeerCheck, Command[]] {
  const peer = { connectTo, protocol: 'vhost-user', afterwards } as const;
  return [peer, [{ execute: 'getfd', peer }, { execute: 'device_add' }]];
}

test('when the program answers, the commands go out, the first with the connection, which is kept until then', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 's');
  await using server = await serve(path);
  const [peer, commands] = commandsFor(path, 'hand-over');
  const answer = Promise.withResolvers<string>();
  const gone: string[] = [];
  void server.gone.then(() => gone.push('gone'));
  const handed = Promise.withResolvers<readonly QmpCommand[]>();
  const replies = submitChecked(
    (sent) => {
      handed.resolve(sent);
      return [answer.promise, Promise.resolve('plugged')];
    },
    commands,
    peer,
    limits,
  );
  const sent = await handed.promise;
  expect(sent.map(({ execute, send }) => [execute, typeof send])).toEqual([
    ['getfd', 'function'],
    ['device_add', 'undefined'],
  ]);
  expect(gone).toEqual([]);
  answer.resolve('has it');
  expect(await Promise.all(replies)).toEqual(['has it', 'plugged']);
  await server.gone;
  expect(server.clients()).toBe(1);
});

test('a connection that is left has gone before the commands go out', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 's');
  await using server = await serve(path);
  const [peer, commands] = commandsFor(path, 'leave');
  const replies = submitChecked(
    (sent) => sent.map(({ send }) => server.gone.then(() => send === undefined)),
    commands,
    peer,
    limits,
  );
  expect(await Promise.all(replies)).toEqual([true, true]);
});

test('nothing goes out to the VMM when the program is no back end', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 's');
  await using server = await serve(path, 'HTTP/1.1 400 Bad Request');
  const [peer, commands] = commandsFor(path, 'hand-over');
  const replies = submitChecked(() => expect.fail('something was sent'), commands, peer, limits);
  for (const reply of replies) await expect(reply).rejects.toMatchObject({ code: 'not-vhost-user' });
  await server.gone;
});
