import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { descriptorOf } from '../../../host/sys/descriptor-of.ts';
import { descriptorSender, type SendDescriptor } from '../../../host/sys/send-descriptor.ts';
import { QmpConnection } from './connection.ts';
import { startScriptedQmp, type ScriptedPeer, type ScriptedQmp } from './scripted-peer.testing.ts';

let server: ScriptedQmp;
let peer: ScriptedPeer;
let connection: QmpConnection;
let write: SendDescriptor;

beforeEach(async () => {
  const sender = await descriptorSender();
  if (sender === undefined)
    throw new Error('koffi is missing: npm ci installs it, unless --omit=optional is set');
  write = sender;
  server = await startScriptedQmp({ onCommand: ({ execute }) => ({ of: execute }) });
  connection = await QmpConnection.connect(server.path, { timeoutMs: 20_000 });
  peer = await server.nextPeer();
});
afterEach(async () => {
  await connection.close();
  await server.close();
});

/** Sends the socket itself, and notes what goes out with it. */
function sendItself(sent: string[]): (socket: Socket, bytes: Uint8Array) => number {
  return (socket, bytes) => {
    sent.push(Buffer.from(bytes).toString('utf8'));
    return write(socket, bytes, descriptorOf(socket) ?? -1);
  };
}

const named = (lines: string): string[] =>
  [...lines.matchAll(/"execute":"([^"]*)"/g)].map(([, name]) => name ?? '');

test('a descriptor goes out with its command and those behind it, and with none before it', async () => {
  const sent: string[] = [];
  const replies = connection.batch([
    { execute: 'before' },
    { execute: 'getfd', send: sendItself(sent) },
    { execute: 'chardev-add' },
  ]);
  const later = connection.execute('later');
  expect(await Promise.all([...replies, later])).toEqual(
    ['before', 'getfd', 'chardev-add', 'later'].map((of) => ({ of })),
  );
  expect(sent.map(named)).toEqual([['getfd', 'chardev-add', 'later']]);
  expect(peer.commands.map(({ execute }) => execute).slice(-4)).toEqual([
    'before',
    'getfd',
    'chardev-add',
    'later',
  ]);
});

test('it waits until what was written before has gone', async () => {
  const sent: string[] = [];
  const large = connection.execute('large', { text: 'x'.repeat(3_000_000) });
  await Promise.resolve();
  const reply = connection.batch([{ execute: 'getfd', send: sendItself(sent) }])[0];
  expect(await Promise.all([large, reply])).toEqual([{ of: 'large' }, { of: 'getfd' }]);
  expect(sent.map(named)).toEqual([['getfd']]);
});

test('what the kernel took in part is written to its end', async () => {
  const part = (socket: Socket, bytes: Uint8Array): number =>
    write(socket, bytes.subarray(0, 7), descriptorOf(socket) ?? -1);
  expect(await Promise.all(connection.batch([{ execute: 'getfd', send: part }]))).toEqual([{ of: 'getfd' }]);
});

test('where the kernel takes none of it, nothing has gone, and the connection goes on', async () => {
  const replies = connection.batch([{ execute: 'getfd', send: () => 0 }, { execute: 'chardev-add' }]);
  for (const reply of replies) {
    await expect(reply).rejects.toMatchObject({ code: 'monitor-busy', facts: { sent: false } });
  }
  expect(await connection.execute('query-status')).toEqual({ of: 'query-status' });
  expect(peer.commands.map(({ execute }) => execute)).not.toContain('getfd');
  expect(connection.idle).toBe(true);
});
