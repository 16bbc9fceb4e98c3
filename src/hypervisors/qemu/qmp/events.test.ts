import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { setLogger, silentLogger } from '../../../api/logger.ts';
import { QmpConnection } from './connection.ts';
import { devicesOf } from './events.ts';
import type { QmpEvent } from './messages.ts';
import { startScriptedQmp, type ScriptedPeer, type ScriptedQmp } from './scripted-peer.testing.ts';

const event = (data: QmpEvent['data']): QmpEvent => ({
  event: 'E',
  data,
  timestamp: { seconds: 1, microseconds: 2 },
});

test.each([
  [{ device: 'd0', path: '/machine/peripheral/d0' }, ['d0']],
  [{ path: '/machine/peripheral/d0' }, ['d0']],
  [{ path: '/machine/peripheral/d0/virtio-backend' }, []],
  [{ path: '/machine/peripheral-anon/device[0]' }, []],
  [{ path: '/machine/peripheral/' }, []],
  [{ device: '', path: '/machine/peripheral/d0' }, ['d0']],
  [{ device: 'a', path: '/machine/peripheral/b' }, ['a', 'b']],
  [{ device: 7, path: null }, []],
  [{}, []],
])('devicesOf %j', (data, ids) => {
  expect(devicesOf(event(data))).toEqual(ids);
});

describe('over a connection', () => {
  let server: ScriptedQmp;
  let peer: ScriptedPeer;
  let connection: QmpConnection;
  /** When its reply is here, everything before it has been handled. */
  const settle = (): Promise<unknown> => connection.execute('sync');

  beforeEach(async () => {
    server = await startScriptedQmp({ onCommand: ({ execute }) => (execute === 'sync' ? {} : undefined) });
    connection = await QmpConnection.connect(server.path, { timeoutMs: 20_000 });
    peer = await server.nextPeer();
  });
  afterEach(async () => {
    setLogger(silentLogger());
    await connection.close();
    await server.close();
  });

  test('all events, and those of a device without those of its children', async () => {
    const all: QmpEvent[] = [];
    const ours: QmpEvent[] = [];
    connection.onEvent((each) => all.push(each));
    connection.onDeviceEvent('d0', (each) => ours.push(each));
    peer.event('DEVICE_DELETED', { path: '/machine/peripheral/d0/virtio-backend' });
    peer.event('DEVICE_DELETED', { device: 'd0', path: '/machine/peripheral/d0' });
    peer.event('DEVICE_DELETED', { device: 'd1', path: '/machine/peripheral/d1' });
    peer.event('STOP');
    await settle();
    expect(all.length).toBe(4);
    expect(ours).toEqual([
      {
        event: 'DEVICE_DELETED',
        data: { device: 'd0', path: '/machine/peripheral/d0' },
        timestamp: { seconds: 1_700_000_000, microseconds: 1 },
      },
    ]);
  });

  test('W82: an event that comes before the reply is there before the reply', async () => {
    const order: string[] = [];
    connection.onDeviceEvent('d0', ({ event: name }) => order.push(name));
    const removed = connection.execute('x').then(() => order.push('reply'));
    const { id } = await peer.nextCommand();
    peer.event('DEVICE_DELETED', { device: 'd0' });
    peer.reply(id);
    await removed;
    expect(order).toEqual(['DEVICE_DELETED', 'reply']);
  });

  test('a listener that throws or rejects stops nobody and is logged', async () => {
    const logged: string[] = [];
    setLogger({
      ...silentLogger(),
      withFields(): typeof this {
        return this;
      },
      error: (message) => void logged.push(message),
    });
    const seen: string[] = [];
    connection.onEvent(() => {
      throw new Error('fault of a listener');
    });
    connection.onEvent((): unknown => Promise.reject(new Error('late fault')));
    connection.onEvent(({ event: name }) => seen.push(name));
    peer.event('STOP');
    await settle();
    expect(seen).toEqual(['STOP']);
    expect(logged.length).toBe(2);
  });

  test('removing: oneself, another during the call, one of two equal ones', async () => {
    const seen: string[] = [];
    const equal = (): void => void seen.push('equal');
    const remove = connection.onDeviceEvent('d0', () => {
      seen.push('first');
      remove();
      removeSecond();
      connection.onDeviceEvent('d0', () => seen.push('added'));
    });
    const removeSecond = connection.onDeviceEvent('d0', () => seen.push('second'));
    const removeEqual = connection.onDeviceEvent('d0', equal);
    connection.onDeviceEvent('d0', equal);
    peer.event('E', { device: 'd0' });
    await settle();
    expect(seen).toEqual(['first', 'equal', 'equal']);
    removeEqual();
    removeEqual();
    peer.event('E', { device: 'd0' });
    await settle();
    expect(seen.slice(3)).toEqual(['equal', 'added']);
  });

  test('a listener that closes the connection sees nothing after', async () => {
    const seen: string[] = [];
    connection.onEvent(({ event: name }) => {
      seen.push(name);
      void connection.close();
    });
    peer.raw('{"event":"A"}\r\n{"event":"B"}\r\n');
    await connection.closed;
    expect(seen).toEqual(['A']);
  });
});
