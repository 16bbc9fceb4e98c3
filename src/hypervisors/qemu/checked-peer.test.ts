import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Command, PeerCheck } from '../../api/plan.ts';
import { temporaryDirectory } from '../../host/host.testing.ts';
import { serveAnswering } from '../../host/vhost-user/answering.testing.ts';
import { submitChecked } from './checked-peer.ts';
import type { QmpCommand } from './qmp/index.ts';

const limits = { timeoutMs: 20_000 };

function commandsFor(connectTo: string, afterwards: PeerCheck['afterwards']): [PeerCheck, Command[]] {
  const peer = { connectTo, protocol: 'vhost-user', afterwards } as const;
  return [peer, [{ execute: 'getfd', peer }, { execute: 'device_add' }]];
}

test('when the program answers, the commands go out, the first with the connection, which is kept until then', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 's');
  await using server = await serveAnswering(path);
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
  await using server = await serveAnswering(path);
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
  await using server = await serveAnswering(path, 'HTTP/1.1 400 Bad Request');
  const [peer, commands] = commandsFor(path, 'hand-over');
  const replies = submitChecked(() => expect.fail('something was sent'), commands, peer, limits);
  for (const reply of replies) await expect(reply).rejects.toMatchObject({ code: 'not-vhost-user' });
  await server.gone;
});

test('given up while the program is silent: at once, and nothing goes out', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 's');
  const asked = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.on('error', () => undefined).on('data', () => asked.resolve());
  }).listen(path);
  await once(server, 'listening');
  try {
    const [peer, commands] = commandsFor(path, 'hand-over');
    const caller = new AbortController();
    const options = { timeoutMs: 600_000, signal: caller.signal };
    const replies = submitChecked(() => expect.fail('something was sent'), commands, peer, options);
    await asked.promise;
    caller.abort();
    for (const reply of replies) {
      await expect(reply).rejects.toMatchObject({ code: 'aborted', facts: { sent: false } });
    }
  } finally {
    server.close();
  }
});

test('what has gone out is not given up by the signal that is for the check', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 's');
  await using _server = await serveAnswering(path);
  const [peer, commands] = commandsFor(path, 'leave');
  const options = { ...limits, signal: new AbortController().signal };
  const replies = submitChecked(
    (sent, given) => sent.map(() => Promise.resolve(given.signal === undefined)),
    commands,
    peer,
    options,
  );
  expect(await Promise.all(replies)).toEqual([true, true]);
});
