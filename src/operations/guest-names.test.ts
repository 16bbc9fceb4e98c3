import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HostVhostUser } from '../api/host-device.ts';
import { everyBus } from '../hypervisors/simulated/index.ts';
import { planAttach } from './attach.ts';
import { Bench, errorOf, TestStore } from './bench.testing.ts';
import { testSocket } from './hosts.testing.ts';

let stores: TestStore;
let bench: Bench;
beforeEach(() => {
  stores = new TestStore();
  bench = new Bench(stores.store, { buses: everyBus() });
});
afterEach(() => stores[Symbol.dispose]());

function shared(name: string, tag: string): HostVhostUser {
  return { ...testSocket('vhost-user-fs', name), tag };
}

function card(name: string, mac: string): HostVhostUser {
  return { ...testSocket('vhost-user-net', name), mac };
}

/** Somebody else's devices in the VM. */
function plugForeign(): void {
  const connect = (id: string): void => {
    const data = { addr: { type: 'unix', data: { path: `/run/${id}` } } };
    bench.machine.execute({ execute: 'chardev-add', arguments: { id, backend: { type: 'socket', data } } });
  };
  const [, second, third] = bench.machine.buses().filter(({ transport }) => transport === 'pci');
  connect('c1');
  connect('c2');
  bench.machine.execute({
    execute: 'netdev_add',
    arguments: { type: 'vhost-user', id: 'n2', chardev: 'c2' },
  });
  const addr = '0';
  bench.machine.execute({
    execute: 'device_add',
    arguments: {
      driver: 'vhost-user-fs-pci',
      id: 'fs1',
      chardev: 'c1',
      tag: 'theirs',
      bus: second?.name ?? '',
      addr,
    },
  });
  bench.machine.execute({
    execute: 'device_add',
    arguments: {
      ...{ driver: 'virtio-net-pci', id: 'net1', netdev: 'n2', mac: '52:54:00:AA:00:01' },
      ...{ bus: third?.name ?? '', addr },
    },
  });
}

async function expectRefused(host: HostVhostUser, code: string, device: string): Promise<void> {
  const before = [bench.machine.devices, bench.machine.backEnds.names, bench.attachments()];
  expect(await errorOf(bench.attach(host))).toMatchObject({ code, subject: host.source, facts: { device } });
  expect([bench.machine.devices, bench.machine.backEnds.names, bench.attachments()]).toEqual(before);
  bench.expectSound();
}

test('a tag that another share of ours has, or somebody else’s', async () => {
  const { id } = await bench.attach(shared('one', 'data'));
  plugForeign();
  await expectRefused(shared('two', 'data'), 'tag-in-use', id);
  await expectRefused(shared('two', 'theirs'), 'tag-in-use', 'fs1');
  await bench.attach(shared('two', 'other'));
});

test('a hardware address that another card of ours has, or somebody else’s, however it is written', async () => {
  const { id } = await bench.attach(card('one', '52:54:00:12:34:5f'));
  plugForeign();
  await expectRefused(card('two', '52:54:00:12:34:5F'), 'mac-in-use', id);
  await expectRefused(card('two', '52:54:00:aa:00:01'), 'mac-in-use', 'net1');
  await bench.attach(card('two', '52:54:00:12:34:60'));
});

test('of two at once one has the tag, and is told to the other', async () => {
  const ends = await Promise.allSettled([
    bench.attach(shared('one', 'data')),
    bench.attach(shared('two', 'data')),
  ]);
  expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  expect(ends.find((end) => end.status === 'rejected')?.reason).toMatchObject({ code: 'tag-in-use' });
  expect(bench.attachments()).toHaveLength(1);
  bench.expectSettled();
});

test('a dry run refuses it too; a tag is free again when its share has left; other VMs have their own', async () => {
  const { id } = await bench.attach(shared('one', 'data'));
  const two = shared('two', 'data');
  const request = { resolve: async () => two, options: {}, wait: 'live' as const, timeoutMs: 5_000 };
  expect(await errorOf(planAttach(bench.context, request))).toMatchObject({ code: 'tag-in-use' });
  const other = new Bench(stores.store, { name: 'vm2', buses: everyBus() });
  const elsewhere = await other.attach(two);
  await other.detach(elsewhere.id);
  await bench.detach(id);
  await bench.attach(two);
});
