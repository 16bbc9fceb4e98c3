import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { connect as connectSocket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { QmpConnection } from './connection.ts';
import { ScriptedFailure, startScriptedQmp } from './scripted-peer.testing.ts';
import { unprivileged } from '../../../host/unprivileged.testing.ts';

const long = { timeoutMs: 20_000 };
/** For a deadline that is meant to pass. */
const short = { timeoutMs: 50 };
const coded = (code: string, facts: object = {}): unknown =>
  expect.objectContaining({ code, facts: expect.objectContaining(facts) });

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'qmp-connect-'));
});
afterAll(() => rm(directory, { recursive: true }));

describe('where nothing can be connected to', () => {
  test('no such socket', async () => {
    const promise = QmpConnection.connect(join(directory, 'none'), long);
    await expect(promise).rejects.toEqual(coded('vm-gone', { reason: 'no-socket' }));
  });

  test('nobody listens any more', async () => {
    const path = join(directory, 'left');
    {
      await using server = await startScriptedQmp();
      // Under another name the file outlives its listener.
      await rename(server.path, path);
    }
    await expect(QmpConnection.connect(path, long)).rejects.toEqual(coded('vm-gone', { reason: 'refused' }));
  });

  test('a plain file', async () => {
    const path = join(directory, 'file');
    await writeFile(path, '');
    await expect(QmpConnection.connect(path, long)).rejects.toEqual(coded('not-qmp'));
  });

  test('no permission', async () => {
    await using server = await startScriptedQmp();
    await chmod(server.path, 0);
    await chmod(dirname(server.path), 0o755);
    await unprivileged([], () =>
      expect(QmpConnection.connect(server.path, long)).rejects.toEqual(
        coded('invalid-argument', { reason: 'denied' }),
      ),
    );
  });

  test.each(['', 'a\0b', `/${'a'.repeat(107)}`, `/${'é'.repeat(54)}`])('not a path: %j', async (path) => {
    await expect(QmpConnection.connect(path, long)).rejects.toEqual(coded('invalid-argument'));
  });

  test('a path of 107 bytes is fine', async () => {
    const path = join(directory, 'a'.repeat(107 - directory.length - 1));
    await using _server = await startScriptedQmp({ path });
    await (await QmpConnection.connect(path, long)).close();
  });
});

describe('a server that does not serve', () => {
  test('a silent one is busy, and the message says what to look at', async () => {
    await using server = await startScriptedQmp({ onConnect: () => undefined });
    const error = await QmpConnection.connect(server.path, short).catch((reason: unknown) => reason);
    expect(error).toEqual(coded('monitor-busy', { reason: 'silent' }));
    expect(error).toMatchObject({ hint: expect.stringContaining('ss -xp') });
  });

  test('the second client waits until the first has left', async () => {
    await using server = await startScriptedQmp();
    const first = await QmpConnection.connect(server.path, long);
    await expect(QmpConnection.connect(server.path, short)).rejects.toEqual(coded('monitor-busy'));
    const waiting = QmpConnection.connect(server.path, long);
    await server.connected(2);
    await first.close();
    const second = await waiting;
    expect(second.greeting.version).toEqual({ major: 7, minor: 2, micro: 0, package: 'scripted' });
    await second.close();
  });

  test('a full backlog is tried again until there is room, or the deadline', async () => {
    const path = join(directory, 'backlog');
    const gate = new Int32Array(new SharedArrayBuffer(4));
    // The thread listens, then accepts nobody until the gate opens.
    const worker = new Worker(
      `const { createServer } = require('node:net');
       const { parentPort, workerData } = require('node:worker_threads');
       const version = { qemu: { major: 9, minor: 0, micro: 0 }, package: '' };
       createServer((socket) => {
         socket.on('error', () => undefined);
         socket.write(JSON.stringify({ QMP: { version, capabilities: [] } }) + '\\r\\n');
         socket.on('data', (data) => socket.write(JSON.stringify({ return: {}, id: JSON.parse(data).id }) + '\\r\\n'));
       }).listen({ path: ${JSON.stringify(path)}, backlog: 0 }, () => {
         parentPort.postMessage('listening');
         setImmediate(() => Atomics.wait(workerData, 0, 0));
       });`,
      { eval: true, workerData: gate },
    );
    await new Promise((resolve) => worker.once('message', resolve));
    const waiters: ReturnType<typeof connectSocket>[] = [];
    for (let full = false; !full;) {
      const socket = connectSocket({ path });
      waiters.push(socket);
      full = await new Promise((resolve) => {
        socket.once('connect', () => resolve(false));
        socket.once('error', () => resolve(true));
      });
    }
    await expect(QmpConnection.connect(path, short)).rejects.toEqual(
      coded('monitor-busy', { reason: 'backlog' }),
    );
    const abort = new AbortController();
    const given = QmpConnection.connect(path, { ...long, signal: abort.signal });
    const patient = QmpConnection.connect(path, long);
    abort.abort();
    await expect(given).rejects.toEqual(coded('aborted'));
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    const connection = await patient;
    expect(connection.greeting.version.major).toBe(9);
    await connection.close();
    waiters.forEach((socket) => socket.destroy());
    await worker.terminate();
  });

  test('greets and then falls silent: the deadline passes', async () => {
    await using server = await startScriptedQmp({ negotiate: false, onCommand: () => undefined });
    await expect(QmpConnection.connect(server.path, short)).rejects.toEqual(
      coded('deadline-passed', { reason: 'greeted' }),
    );
    await (
      await server.nextPeer()
    ).closed;
  });

  test('aborted before, while waiting for the greeting, and after it', async () => {
    await using server = await startScriptedQmp({
      onConnect: () => undefined,
      negotiate: false,
      oneAtATime: false,
    });
    await expect(
      QmpConnection.connect(server.path, { ...long, signal: AbortSignal.abort() }),
    ).rejects.toEqual(coded('aborted'));
    const silent = new AbortController();
    const waiting = QmpConnection.connect(server.path, { ...long, signal: silent.signal });
    await server.nextPeer();
    silent.abort(new Error('why'));
    await expect(waiting).rejects.toMatchObject({ code: 'aborted', cause: { message: 'why' } });

    const later = new AbortController();
    const negotiating = QmpConnection.connect(server.path, { ...long, signal: later.signal });
    const peer = await server.nextPeer();
    peer.greet();
    await peer.nextCommand();
    later.abort();
    await expect(negotiating).rejects.toEqual(coded('aborted'));
    await peer.closed;
  });

  test('a deadline that has passed connects to nobody', async () => {
    await using server = await startScriptedQmp();
    for (const timeoutMs of [0, -5, NaN]) {
      await expect(QmpConnection.connect(server.path, { timeoutMs })).rejects.toEqual(
        coded('deadline-passed'),
      );
    }
    expect(server.peers.length).toBe(0);
  });
});

describe('a server that speaks something else', () => {
  test.each([
    ['not JSON', 'SSH-2.0-OpenSSH_9.2\r\n', /SSH/],
    ['another JSON', '{"hello":1}\n', /hello/],
    ['a reply', '{"return":{},"id":1}\n', /return/],
    ['the monitor for humans', "QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ", /QEMU/],
    ['pretty-printed QMP', '{\r\n    "QMP": {\r\n', /\{/],
    ['a line too long', `{"QMP":${' '.repeat(2000)}`, /greet/],
  ])('%s', async (_name, bytes, words) => {
    await using server = await startScriptedQmp({ onConnect: (peer) => peer.raw(bytes) });
    const error = await QmpConnection.connect(server.path, { ...long, maxLineBytes: 1000 }).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ code: 'not-qmp', message: expect.stringMatching(words) });
  });

  test('bytes without a line', async () => {
    await using server = await startScriptedQmp({ onConnect: (peer) => peer.raw('login: ') });
    await expect(QmpConnection.connect(server.path, { timeoutMs: 200 })).rejects.toEqual(coded('not-qmp'));
  });

  test('a server that is no QMP at all and closes', async () => {
    const path = join(directory, 'closer');
    const server = createServer((socket) => socket.end()).listen(path);
    await expect(QmpConnection.connect(path, long)).rejects.toEqual(coded('vm-gone', { reason: 'closed' }));
    server.close();
  });
});

describe('a server that leaves during the handshake', () => {
  const greeting =
    '{"QMP":{"version":{"qemu":{"major":7,"minor":2,"micro":0},"package":""},"capabilities":[]}}\r\n';

  test.each(['end', 'destroy'] as const)('before the greeting, within it and after it (%s)', async (how) => {
    for (const bytes of ['', greeting.slice(0, 30), greeting.slice(0, -1), greeting]) {
      await using server = await startScriptedQmp({
        onConnect: (peer) => {
          peer.raw(bytes);
          peer[how]();
        },
      });
      await expect(QmpConnection.connect(server.path, long)).rejects.toEqual(
        coded('vm-gone', { reason: 'closed' }),
      );
    }
  });

  test('before and within the reply to qmp_capabilities', async () => {
    for (const bytes of ['', '{"return":{},']) {
      await using server = await startScriptedQmp({
        negotiate: false,
        onCommand: (_command, peer) => {
          peer.raw(bytes);
          peer.destroy();
        },
      });
      await expect(QmpConnection.connect(server.path, long)).rejects.toEqual(
        coded('vm-gone', { reason: 'closed' }),
      );
    }
  });
});

test('a refused negotiation is told in the words of the VMM, and the socket is closed', async () => {
  await using server = await startScriptedQmp({
    negotiate: false,
    onCommand: () => new ScriptedFailure('no way'),
  });
  await expect(QmpConnection.connect(server.path, long)).rejects.toMatchObject({
    code: 'vmm-refused',
    reason: 'no way',
  });
  await (
    await server.nextPeer()
  ).closed;
});

test('events before the greeting, before the reply to qmp_capabilities and right behind it are not lost', async () => {
  await using server = await startScriptedQmp({
    negotiate: false,
    onConnect: (peer) => {
      peer.event('FIRST');
      peer.greet();
      peer.event('SECOND');
    },
    onCommand: ({ id }, peer) => {
      peer.event('THIRD');
      peer.raw(`{"return":{},"id":${String(id)}}\r\n{"event":"FOURTH"}\r\n`);
    },
  });
  const seen: string[] = [];
  const connection = await QmpConnection.connect(server.path, {
    ...long,
    onEvent: ({ event }) => seen.push(event),
  });
  expect(seen).toEqual(['FIRST', 'SECOND', 'THIRD', 'FOURTH']);
  await connection.close();
});

test('a handshake of single bytes', async () => {
  await using server = await startScriptedQmp({
    onConnect: (peer) => {
      peer.pieceLength = 1;
      peer.event('EARLY', { name: 'é😀' });
      peer.greet();
    },
  });
  const seen: unknown[] = [];
  const connection = await QmpConnection.connect(server.path, {
    ...long,
    onEvent: ({ data }) => seen.push(data),
  });
  expect(seen).toEqual([{ name: 'é😀' }]);
  await connection.close();
});
