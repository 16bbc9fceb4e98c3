import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { join } from 'node:path';
import type { HostVhostUser } from '../api/host-device.ts';
import { temporaryDirectory } from '../host/host.testing.ts';
import { listenOn } from '../host/vhost-user/listener.testing.ts';
import { everyBus } from '../hypervisors/simulated/index.ts';
import { lostBackEnds } from './doctor/back-ends.ts';
import { Bench, errorOf, TestStore } from '../operations/bench.testing.ts';
import { testSocket } from '../operations/hosts.testing.ts';

let stores: TestStore;
let bench: Bench;
beforeEach(() => {
  stores = new TestStore();
  bench = new Bench(stores.store, { buses: everyBus() });
});
afterEach(() => stores[Symbol.dispose]());

const kinds = ['vhost-user-blk', 'vhost-user-scsi', 'vhost-user-net', 'vhost-user-fs'] as const;

describe.each(kinds)('%s', (kind) => {
  const host: HostVhostUser = testSocket(kind, 'x');

  test('a peer that speaks something else is told from other refusals, and nothing stays', async () => {
    const text = 'vhost_backend_init failed: Protocol error';
    bench.machine.fail({ on: 'device_add', do: 'refuse', text, meaning: 'not-vhost-user' });
    expect(await errorOf(bench.attach(host))).toMatchObject({ code: 'not-vhost-user', subject: host.source });
    expect(bench.machine.backEnds.names).toEqual([]);
    expect(bench.attachments()).toEqual([]);
    bench.expectSettled();
  });

  test('a peer that is silent: its process is named, and the next command undoes it', async () => {
    using temporary = temporaryDirectory();
    const socket = join(temporary.path, 's');
    await using _ = await listenOn(socket);
    const served = { ...host, source: socket, socket };
    bench.machine.fail({ on: 'device_add', do: 'no-answer', executed: false });
    expect(await errorOf(bench.attach(served, { timeoutMs: 50 }))).toMatchObject({
      code: 'backend-silent',
      exitCode: 6,
      hint: expect.stringContaining(`kill ${process.pid}`),
      facts: { socket, pid: process.pid },
    });
    expect(bench.attachments()).toMatchObject([{ state: 'unknown' }]);
    await bench.settle();
    expect(bench.attachments()).toEqual([]);
    expect(bench.machine.backEnds.names).toEqual([]);
    bench.expectSettled();
  });

  test('a peer that ends while it is attached is seen, and the device still leaves', async () => {
    const attached = await bench.attach(host);
    const seen = async (): Promise<unknown> =>
      (await bench.hypervisor.observe(attached.plan.vmmId, attached.place, { timeoutMs: 100 })).backend;
    expect(await seen()).toBe('connected');
    expect(await lostBackEnds(bench.context)).toEqual([]);
    bench.machine.backEnds.chardevs.hangUp(host.socket);
    expect(await seen()).toBe('lost');
    expect(await lostBackEnds(bench.context)).toMatchObject([
      { problem: 'backend-lost', sandbox: 'vm1', device: attached.id, repaired: false },
    ]);
    await bench.detach(attached.id);
    bench.expectSettled();
    const anew = await bench.attach(host);
    const { plan, place } = anew;
    expect(await bench.hypervisor.observe(plan.vmmId, place, { timeoutMs: 100 })).toMatchObject({
      backend: 'connected',
    });
  });
});

test('a guest that waits for a peer that has ended: the detach says what alone frees it', async () => {
  const { id } = await bench.attach(testSocket('vhost-user-blk', 'x'));
  bench.machine.guest = { ...bench.machine.guest, onUnplug: 'ignores' };
  const detached = async () => errorOf(bench.detach(id, { timeoutMs: 5 }));
  expect(await detached()).toMatchObject({ reason: expect.stringContaining('the guest did not let go') });
  bench.machine.backEnds.chardevs.hangUp(testSocket('vhost-user-blk', 'x').socket);
  expect(await detached()).toMatchObject({
    code: 'deadline-passed',
    reason: expect.stringContaining('the program that served it has ended'),
    hint: expect.stringContaining('vmplug sandbox stop vm1'),
    facts: { outcome: 'expired', requested: true, backend: 'lost' },
  });
  expect(bench.attachments()).toMatchObject([{ id, state: 'detaching' }]);
});

test('a disk has no program behind it', async () => {
  const { plan, place } = await bench.attach('disk');
  expect(await bench.hypervisor.observe(plan.vmmId, place, { timeoutMs: 100 })).not.toHaveProperty('backend');
});
