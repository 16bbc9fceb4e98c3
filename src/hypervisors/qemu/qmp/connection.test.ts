import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type JsonValue } from '../../../api/json.ts';
import { QmpConnection, type QmpConnectionOptions } from './connection.ts';
import { qmpErrorOf } from './qmp-error.ts';
import {
  ScriptedFailure,
  startScriptedQmp,
  type ScriptedPeer,
  type ScriptedQmp,
} from './scripted-peer.testing.ts';

const coded = (code: string, facts: object = {}): unknown =>
  expect.objectContaining({ code, facts: expect.objectContaining(facts) });

let server: ScriptedQmp;
let peer: ScriptedPeer;
let connection: QmpConnection;
let answers: Record<string, (id: unknown) => unknown>;

const open = async (options: Partial<QmpConnectionOptions> = {}): Promise<void> => {
  connection = await QmpConnection.connect(server.path, { timeoutMs: 20_000, ...options });
  peer = await server.nextPeer();
};

beforeEach(async () => {
  answers = {};
  server = await startScriptedQmp({
    onCommand: ({ execute, id }) => answers[execute]?.(id),
  });
  await open();
});
afterEach(async () => {
  await connection.close();
  await server.close();
});

describe('commands', () => {
  test('a reply, in pieces of any length', async () => {
    answers['query-status'] = () => ({ status: 'running', name: 'é😀' });
    for (const length of [1, 2, 3, 5, 64]) {
      peer.pieceLength = length;
      expect(await connection.execute('query-status')).toEqual({ status: 'running', name: 'é😀' });
    }
  });

  test('arguments and integers beyond 2^53 are exact both ways', async () => {
    const sent = connection.execute('block_resize', { size: 2n ** 64n - 1n, 'node-name': 'd' });
    const { text, id } = await peer.nextCommand();
    expect(text).toContain('"arguments":{"size":18446744073709551615,"node-name":"d"}');
    peer.raw(`{"return": {"bar": -9223372036854775808}, "id": ${String(id)}}\r\n`);
    expect(await sent).toEqual({ bar: -(2n ** 63n) });
  });

  test('W82: replies out of order find their commands', async () => {
    const replies = ['a', 'b', 'c'].map((name) => connection.execute(name));
    const commands = [await peer.nextCommand(), await peer.nextCommand(), await peer.nextCommand()];
    for (const { id, execute } of commands.toReversed()) {
      peer.reply(id, { of: execute });
    }
    expect(await Promise.all(replies)).toEqual([{ of: 'a' }, { of: 'b' }, { of: 'c' }]);
  });

  test('commands of one turn go out in one write, in order', async () => {
    const before = peer.chunks;
    answers = { a: () => 1, b: () => 2, c: () => 3, d: () => 4 };
    const batch = connection.batch([{ execute: 'a' }, { execute: 'b', arguments: { x: 1 } }]);
    const all = [...batch, connection.execute('c'), connection.execute('d')];
    expect(await Promise.all(all)).toEqual([1, 2, 3, 4]);
    expect(peer.commands.map(({ execute }) => execute)).toEqual(['a', 'b', 'c', 'd']);
    expect(peer.chunks - before).toBe(1);
  });

  test('each promise of a batch settles on its own and none must be handled', async () => {
    answers = { a: () => new ScriptedFailure('no'), b: () => ({ ok: true }) };
    const [, second] = connection.batch([{ execute: 'a' }, { execute: 'b' }]);
    expect(await second).toEqual({ ok: true });
  });

  test('a refusal has the words of the VMM', async () => {
    answers['device_del'] = () => new ScriptedFailure("Device 'x' not found", 'DeviceNotFound');
    const error = await connection.execute('device_del', { id: 'x' }).catch((reason: unknown) => reason);
    expect(error).toEqual(coded('vmm-refused', { command: 'device_del', class: 'DeviceNotFound' }));
    expect(error).toMatchObject({ reason: "Device 'x' not found" });
    expect(qmpErrorOf(error)).toEqual({ class: 'DeviceNotFound', desc: "Device 'x' not found" });
    expect(qmpErrorOf(new Error('wrapped', { cause: error }))?.class).toBe('DeviceNotFound');
    expect(qmpErrorOf(new Error('other'))).toBeUndefined();
    expect(qmpErrorOf(undefined)).toBeUndefined();
  });

  test('W83: an argument that cannot be said hurts nobody else', async () => {
    answers['a'] = () => 1;
    await expect(connection.execute('a', { s: '\0' })).rejects.toEqual(
      coded('invalid-argument', { sent: false }),
    );
    const batch = connection.batch([{ execute: 'a' }, { execute: 'a', arguments: { n: NaN } }]);
    for (const reply of batch) {
      await expect(reply).rejects.toEqual(coded('invalid-argument', { sent: false }));
    }
    expect(await connection.execute('a')).toBe(1);
    expect(peer.commands.length).toBe(1);
  });
});

describe('giving up', () => {
  test('the late reply is swallowed and the connection goes on', async () => {
    const abort = new AbortController();
    const given = connection.execute('slow', {}, { signal: abort.signal });
    const late = connection.execute('slow', {}, { timeoutMs: 30 });
    const [first, second] = [await peer.nextCommand(), await peer.nextCommand()];
    abort.abort(new Error('enough'));
    await expect(given).rejects.toMatchObject({
      code: 'aborted',
      facts: { sent: true },
      cause: { message: 'enough' },
    });
    await expect(late).rejects.toEqual(coded('deadline-passed', { sent: true, command: 'slow' }));
    peer.reply(first.id);
    peer.fail(second.id, 'late');
    answers['a'] = () => 1;
    expect(await connection.execute('a')).toBe(1);
  });

  test('what was given up before it was sent is never sent', async () => {
    const abort = new AbortController();
    const given = connection.execute('a', {}, { signal: abort.signal });
    abort.abort();
    await expect(given).rejects.toEqual(coded('aborted', { sent: false }));
    await expect(connection.execute('a', {}, { signal: abort.signal })).rejects.toEqual(
      coded('aborted', { sent: false }),
    );
    await expect(connection.execute('a', {}, { timeoutMs: 0 })).rejects.toEqual(
      coded('deadline-passed', { sent: false }),
    );
    answers['b'] = () => 2;
    expect(await connection.execute('b')).toBe(2);
    expect(peer.commands.map(({ execute }) => execute)).toEqual(['b']);
  });

  test('the signal of AbortSignal.timeout is a deadline', async () => {
    const signal = AbortSignal.timeout(20);
    await expect(connection.execute('a', {}, { signal })).rejects.toEqual(
      coded('deadline-passed', { sent: true }),
    );
  });

  test('a reply that arrived while this process was busy is no silence', async () => {
    const reply = connection.execute('a', {}, { timeoutMs: 40 });
    const { id } = await peer.nextCommand();
    // The answer is in the kernel before this thread blocks beyond the deadline.
    peer.socket.write(`{"return":5,"id":${String(id)}}\r\n`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60);
    expect(await reply).toBe(5);
  });

  test('a full socket: what is queued here is not sent, and can be withdrawn', async () => {
    peer.socket.pause();
    const big = { text: 'x'.repeat(400_000) };
    const first = connection.execute('big', big);
    first.catch(() => undefined);
    const abort = new AbortController();
    await new Promise(setImmediate);
    const withdrawn = connection.execute('withdrawn', {}, { signal: abort.signal });
    const queued = connection.execute('queued');
    queued.catch(() => undefined);
    await new Promise(setImmediate);
    abort.abort();
    await expect(withdrawn).rejects.toEqual(coded('aborted', { sent: false }));
    const pastTheEnd = connection.execute('lost');
    pastTheEnd.catch(() => undefined);
    peer.socket.resume();
    expect((await peer.nextCommand()).execute).toBe('big');
    expect((await peer.nextCommand()).execute).toBe('queued');
    expect((await peer.nextCommand()).execute).toBe('lost');
  });

  test('at most 10,000 commands wait, those given up included', async () => {
    const many = connection.batch(
      Array.from({ length: 10_000 }, () => ({ execute: 'a' })),
      { timeoutMs: Infinity },
    );
    await expect(connection.execute('b')).rejects.toEqual(
      coded('monitor-busy', { sent: false, pending: 10_000 }),
    );
    const commands = [];
    for (const _ of many) {
      commands.push(await peer.nextCommand());
    }
    peer.reply(commands[0]?.id, 'room');
    expect(await many[0]).toBe('room');
    answers['b'] = () => 2;
    expect(await connection.execute('b')).toBe(2);
  });
});

describe('loss', () => {
  const lost: Record<string, () => void> = {
    end: () => peer.end(),
    destroy: () => peer.destroy(),
    'in the middle of a reply': () => {
      peer.raw('{"return": {"half"');
      peer.destroy();
    },
  };

  test.each(Object.keys(lost))('%s: what was sent is unknown, what comes later is gone', async (how) => {
    const sent = connection.execute('device_add');
    await peer.nextCommand();
    lost[how]?.();
    await expect(sent).rejects.toEqual(coded('outcome-unknown', { sent: true, command: 'device_add' }));
    expect(await connection.closed).toEqual(coded('vm-gone'));
    expect(connection.ended).toBe(true);
    await expect(connection.execute('a')).rejects.toEqual(coded('vm-gone', { sent: false }));
    const [first] = connection.batch([{ execute: 'a' }]);
    await expect(first).rejects.toEqual(coded('vm-gone', { sent: false }));
  });

  test('what is queued behind a full socket was not sent', async () => {
    peer.socket.pause();
    const big = connection.execute('big', { text: 'x'.repeat(1_000_000) });
    await new Promise(setImmediate);
    const queued = connection.execute('queued');
    const both = Promise.all([
      expect(big).rejects.toEqual(coded('outcome-unknown', { sent: true })),
      expect(queued).rejects.toEqual(coded('vm-gone', { sent: false })),
    ]);
    peer.destroy();
    await both;
  });

  test('a write that the kernel refuses at once was not sent', async () => {
    // Closed by the peer in this very turn: the client has not read the end yet.
    peer.socket.destroy();
    await new Promise((resolve) => peer.socket.once('close', resolve));
    const result = connection.execute('a').catch((reason: unknown) => reason);
    expect(await result).toEqual(coded('vm-gone', { sent: false }));
  });

  test('replies before the loss still count', async () => {
    const first = connection.execute('a');
    const second = connection.execute('b');
    const { id } = await peer.nextCommand();
    await peer.nextCommand();
    peer.reply(id, 1);
    peer.end();
    expect(await first).toBe(1);
    await expect(second).rejects.toEqual(coded('outcome-unknown'));
  });

  test('our own close: sent is unknown, unsent and later is aborted, closed has no reason', async () => {
    const sent = connection.execute('a');
    await peer.nextCommand();
    const unsent = connection.execute('b');
    const all = Promise.all([
      expect(sent).rejects.toEqual(coded('outcome-unknown', { sent: true })),
      expect(unsent).rejects.toEqual(coded('aborted', { sent: false })),
    ]);
    await Promise.all([connection.close(), connection.close()]);
    await all;
    expect(await connection.closed).toBeUndefined();
    await expect(connection.execute('a')).rejects.toEqual(coded('aborted', { sent: false }));
    await peer.closed;
  });
});

describe('a server that breaks the protocol', () => {
  test.each([
    ['a line that is not JSON', 'garbage\r\n'],
    ['half a message', '{"return":\r\n'],
    ['a message of nothing known', '{"foo":1}\r\n'],
    ['an error without id', '{"error":{"class":"GenericError","desc":"JSON parse error"}}\r\n'],
    [
      'a second greeting',
      '{"QMP":{"version":{"qemu":{"major":7,"minor":2,"micro":0}},"capabilities":[]}}\r\n',
    ],
    ['a line too long', 'x'.repeat(5000)],
  ])('%s ends the connection', async (_name, bytes) => {
    await connection.close();
    await open({ maxLineBytes: 4000 });
    const sent = connection.execute('a');
    const { id } = await peer.nextCommand();
    peer.raw(`${bytes}${bytes.length < 5000 ? `{"return":{},"id":${String(id)}}\r\n` : ''}`);
    const error = await sent.catch((reason: unknown) => reason);
    expect(error).toEqual(coded('outcome-unknown', { sent: true }));
    expect(qmpErrorOf(error)).toBeUndefined();
    expect(await connection.closed).toEqual(coded('protocol-error'));
    await expect(connection.execute('b')).rejects.toEqual(coded('protocol-error', { sent: false }));
    await peer.closed;
  });

  test.each(['{"return":{},"id":999}', '{"return":{},"id":"x"}', '{"return":{}}', '{"return":1,"id":1}', ''])(
    'a reply that nobody waits for is ignored: %s',
    async (line) => {
      peer.raw(`${line}\r\n`);
      answers['a'] = () => 1;
      expect(await connection.execute('a')).toBe(1);
    },
  );

  test('a reply to a command that was not sent yet is ignored', async () => {
    answers['queued'] = () => 'real';
    peer.socket.pause();
    const big = connection.execute('big', { text: 'x'.repeat(1_000_000) });
    await new Promise(setImmediate);
    const queued = connection.execute('queued');
    peer.reply(3, 'forged');
    peer.reply(2, 'early');
    // A reply to what was sent in part is odd, but it is one; it shows that the one before was read.
    expect(await big).toBe('early');
    peer.socket.resume();
    expect(await queued).toBe('real');
  });
});

test('W81: a reply of more than 64 KiB', async () => {
  const big = Array.from({ length: 30_000 }, (_, index): JsonValue => ({
    name: `command-${index}`,
    size: index,
  }));
  answers['query-qmp-schema'] = () => big;
  expect(await connection.execute('query-qmp-schema')).toEqual(big);
});
