import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../host.testing.ts';
import { descriptorOf } from './descriptor-of.ts';
import { descriptorSender } from './send-descriptor.ts';

/** Both ends of a connection. */
async function connection(
  path: string,
): Promise<{ client: Socket; server: Socket; [Symbol.dispose](): void }> {
  const listener = createServer({ pauseOnConnect: true }).listen(path);
  await once(listener, 'listening');
  const accepted = once(listener, 'connection');
  const client = connect(path);
  const [server] = (await accepted) as [Socket];
  listener.close();
  return {
    client,
    server,
    [Symbol.dispose]() {
      client.destroy();
      server.destroy();
    },
  };
}

test('a socket has a descriptor while it is open', async () => {
  using directory = temporaryDirectory();
  using pair = await connection(join(directory.path, 's'));
  expect(descriptorOf(pair.client)).toBeGreaterThan(2);
  pair.client.destroy();
  await once(pair.client, 'close');
  expect(descriptorOf(pair.client)).toBeUndefined();
});

test('a descriptor that was sent stays open on its way, whatever becomes of the sender’s own', async () => {
  const send = await descriptorSender();
  if (send === undefined)
    throw new Error('koffi is missing: npm ci installs it, unless --omit=optional is set');
  using directory = temporaryDirectory();
  using carrier = await connection(join(directory.path, 'carrier'));
  using sent = await connection(join(directory.path, 'sent'));
  let hungUp = false;
  sent.server.resume().once('end', () => (hungUp = true));

  expect(send(carrier.client, Buffer.from('with it'), descriptorOf(sent.client) ?? -1)).toBe(7);
  sent.client.destroy();
  await once(sent.client, 'close');
  await new Promise((resolve) => setImmediate(resolve));
  expect(hungUp).toBe(false);

  // Node takes the bytes and drops the descriptor: with it, the last end is closed.
  const ended = once(sent.server, 'end');
  const arrived = once(carrier.server, 'data');
  carrier.server.resume();
  expect(String((await arrived)[0])).toBe('with it');
  await ended;
});

test('a closed socket takes nothing, and neither does a descriptor that is none go out', async () => {
  const send = await descriptorSender();
  using directory = temporaryDirectory();
  using carrier = await connection(join(directory.path, 's'));
  expect(send?.(carrier.client, Buffer.from('x'), -1)).toBe(0);
  carrier.client.destroy();
  await once(carrier.client, 'close');
  expect(send?.(carrier.client, Buffer.from('x'), 0)).toBe(0);
});
