import { createConnection } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AttachmentRecord } from '../api/attachment.ts';
import type { PeerCheck } from '../api/plan.ts';
import { served } from '../devices/plan-request.testing.ts';
import { temporaryDirectory } from '../host/host.testing.ts';
import { serveAnswering } from '../host/vhost-user/answering.testing.ts';
import { attachmentRecord } from '../store/records.testing.ts';
import { askPrograms } from './ask-programs.ts';

const limits = { timeoutMs: 20_000 };

function deviceOn(socket: string, afterwards?: PeerCheck['afterwards']): AttachmentRecord {
  const source = `vhost-user-blk:${socket}`;
  const peer = { connectTo: socket, protocol: 'vhost-user' as const };
  const run = { execute: 'x', ...(afterwards === undefined ? {} : { peer: { ...peer, afterwards } }) };
  return {
    ...attachmentRecord(socket, 'vm1'),
    ...{ source, host: served('vhost-user-blk', { socket, source }) },
    plan: { vmmId: socket, steps: [{ summary: 'x', run, undo: { execute: 'y' } }] },
  };
}

test('what is to be handed over stays connected until it is disposed of; what is to be left has gone', async () => {
  using directory = temporaryDirectory();
  const [one, two] = [join(directory.path, '1'), join(directory.path, '2')];
  await using first = await serveAnswering(one);
  await using second = await serveAnswering(two);
  {
    using asked = await askPrograms([deviceOn(one, 'hand-over'), deviceOn(two, 'leave')], limits);
    await second.gone;
    expect([...asked.connections.keys()]).toEqual([one]);
    expect(asked.connections.get(one)?.destroyed).toBe(false);
  }
  await first.gone;
  expect([first.clients(), second.clients()]).toEqual([1, 1]);
});

test('nobody is connected to for a device without a check', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 's');
  await using server = await serveAnswering(path);
  using asked = await askPrograms([deviceOn(path)], limits);
  expect(asked.connections.size).toBe(0);
  // Whoever came before this one would have been counted.
  createConnection(path).end();
  await server.gone;
  expect(server.clients()).toBe(1);
});

test.each([
  ['not-vhost-user', 'HTTP/1.1 400 Bad Request', 20_000],
  ['backend-silent', '', 200],
] as const)(
  '%s is said of the device, nobody is asked after it, and who was asked before is left',
  async (code, words, timeoutMs) => {
    using directory = temporaryDirectory();
    const [good, bad, unasked] = ['good', 'bad', 'unasked'].map((name) => join(directory.path, name));
    if (good === undefined || bad === undefined || unasked === undefined) throw new Error('three paths');
    await using first = await serveAnswering(good);
    await using second = await serveAnswering(bad, words);
    await using third = await serveAnswering(unasked);
    const devices = [good, bad, unasked].map((path) => deviceOn(path, 'hand-over'));
    await expect(askPrograms(devices, { timeoutMs })).rejects.toMatchObject({
      ...{ code, action: 'start a VM with', subject: `vhost-user-blk:${bad}` },
      hint: expect.stringMatching(/no VM was started, and nothing was left behind$/i),
    });
    await Promise.all([first.gone, second.gone]);
    expect(third.clients()).toBe(0);
  },
);

test('a program that has ended since it was looked at, and a caller who gives up', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 's');
  const device = deviceOn(path, 'hand-over');
  await expect(askPrograms([device], limits)).rejects.toMatchObject({
    ...{ code: 'socket-not-served', action: 'start a VM with', subject: device.source },
  });
  await using _ = await serveAnswering(path, '');
  const asked = askPrograms([device], { ...limits, signal: AbortSignal.abort() });
  await expect(asked).rejects.toMatchObject({ code: 'aborted' });
});
