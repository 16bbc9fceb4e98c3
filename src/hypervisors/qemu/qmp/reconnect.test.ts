import { afterEach, beforeEach, expect, test } from 'vitest';
import { QmpClient } from './reconnect.ts';
import { startScriptedQmp, type ScriptedCommand, type ScriptedQmp } from './scripted-peer.testing.ts';

const coded = (code: string, facts: object = {}): unknown =>
  expect.objectContaining({ code, facts: expect.objectContaining(facts) });

let server: ScriptedQmp;
let client: QmpClient;
let answer: (command: ScriptedCommand) => unknown;

beforeEach(async () => {
  answer = ({ execute }) => execute;
  server = await startScriptedQmp({ onCommand: (command) => answer(command) });
  client = new QmpClient(server.path, { connectTimeoutMs: 20_000 });
});
afterEach(async () => {
  await client.close();
  await server.close();
});

test('connects on first use, once for all callers', async () => {
  const [, reply] = client.batch([{ execute: 'a' }, { execute: 'b' }]);
  expect(await Promise.all([client.execute('c'), reply, client.execute('d')])).toEqual(['c', 'b', 'd']);
  expect(server.peers.length).toBe(1);
});

test('W64: after a loss: listeners are told, the next use connects again, listeners of events stay', async () => {
  const told: string[] = [];
  client.onLost(({ code }) => told.push(code));
  client.onReconnect(({ greeting }) => told.push(`again ${greeting.version.major}`));
  client.onDeviceEvent('d0', ({ event }) => told.push(event));
  const first = await client.connect();
  (await server.nextPeer()).destroy();
  await first.closed;
  expect(await Promise.all([client.execute('a'), client.execute('b')])).toEqual(['a', 'b']);
  const peer = await server.nextPeer();
  peer.event('E', { device: 'd0' });
  await client.execute('sync');
  expect(told).toEqual(['vm-gone', 'again 7', 'E']);
  expect(server.peers.length).toBe(2);
});

test('a command that may have been sent is never sent again', async () => {
  answer = () => undefined;
  const sent = client.execute('device_add');
  const peer = await server.nextPeer();
  await peer.nextCommand();
  peer.destroy();
  await expect(sent).rejects.toEqual(coded('outcome-unknown', { sent: true }));
  answer = ({ execute }) => execute;
  expect(await client.execute('query-status')).toBe('query-status');
  expect(server.peers.flatMap(({ commands }) => commands.map(({ execute }) => execute))).toEqual([
    'device_add',
    'query-status',
  ]);
});

test('a command that proved not to have been sent is sent over the next connection', async () => {
  await client.connect();
  const peer = await server.nextPeer();
  peer.socket.destroy();
  await new Promise((resolve) => peer.socket.once('close', resolve));
  expect(await client.execute('a')).toBe('a');
});

test('a caller who gives up does not stop the others; the last one does', async () => {
  await client.close();
  await server.close();
  server = await startScriptedQmp({ onConnect: () => undefined });
  client = new QmpClient(server.path, { connectTimeoutMs: 20_000 });
  const abort = new AbortController();
  const given = client.execute('a', {}, { signal: abort.signal });
  const late = client.execute('b', {}, { timeoutMs: 40 });
  const peer = await server.nextPeer();
  abort.abort();
  await expect(given).rejects.toEqual(coded('aborted'));
  expect(peer.socket.destroyed).toBe(false);
  await expect(late).rejects.toEqual(coded('monitor-busy'));
  await peer.closed;
});

test('a new caller right after the last one gave up gets an attempt of its own', async () => {
  const abort = new AbortController();
  const given = client.execute('a', {}, { signal: abort.signal });
  abort.abort();
  await expect(given).rejects.toEqual(coded('aborted'));
  expect(await client.execute('b')).toBe('b');
});

test('a VM that is gone for good', async () => {
  await client.connect();
  await server.close();
  await expect(client.execute('a')).rejects.toEqual(coded('vm-gone', { reason: 'no-socket' }));
});

test('closing ends the attempt, and for good', async () => {
  const waiting = client.execute('a');
  const closing = client.close();
  await expect(waiting).rejects.toEqual(coded('aborted'));
  await closing;
  await expect(client.execute('a')).rejects.toEqual(coded('aborted'));
  await expect(client.batch([{ execute: 'a' }])[0]).rejects.toEqual(coded('aborted'));
});
