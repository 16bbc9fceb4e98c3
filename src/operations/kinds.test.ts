import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HostDevice } from '../api/host-device.ts';
import { deviceNeeds, driverFor, planDevice } from '../devices/kinds.ts';
import { everyBus, factsWithout } from '../hypervisors/simulated/index.ts';
import { Bench, errorOf, testDisk, TestStore } from './bench.testing.ts';
import { choosePlaces } from './choose-place.ts';
import { testGroup, testPmem, testSocket } from './hosts.testing.ts';

let stores: TestStore;
beforeEach(() => {
  stores = new TestStore();
});
afterEach(() => stores[Symbol.dispose]());

const sockets: HostDevice[] = [
  testSocket('vhost-user-blk', 'blk'),
  testSocket('vhost-user-scsi', 'scsi'),
  testSocket('vhost-user-net', 'net'),
  testSocket('vhost-user-fs', 'fs'),
];
const leaving: HostDevice[] = [testDisk('disk'), testGroup('7', 2), ...sockets];
const everything: HostDevice[] = [...leaving, testPmem('pmem')];

/** The names of the commands of a host device's plan. */
function planned(host: HostDevice): string[] {
  const probe = new Bench(stores.store, { name: 'probe', buses: everyBus() });
  const facts = probe.machine.facts;
  const driver = driverFor(host, undefined, facts);
  const request = { id: '0'.repeat(16), generation: 1, serial: 'vp', driver, host, options: {}, facts };
  const places = choosePlaces(probe.machine.buses(), deviceNeeds(request), new Set(), 'probe');
  return planDevice({ ...request, places }).steps.map(({ run }) => run.execute);
}

describe.each(everything)('7.6 QMP sequences and their rollback: $kind', (host) => {
  test('W105: its intent is durable before the first command goes out', async () => {
    const bench = new Bench(stores.store, { buses: everyBus() });
    const [first] = planned(host);
    let recorded: unknown;
    bench.machine.onExchange((name) => {
      if (name === first) recorded ??= bench.attachments()[0]?.state;
    });
    await bench.attach(host);
    expect(recorded).toBe('attaching');
  });

  test('each of its commands refused: everything is undone, in the VM and in the records', async () => {
    const bench = new Bench(stores.store, { buses: everyBus() });
    const commands = planned(host);
    for (const [index, command] of commands.entries()) {
      const after = commands.slice(0, index).filter((earlier) => earlier === command).length;
      bench.machine.fail({ on: command, do: 'refuse', text: 'it will not', after });
      expect(await errorOf(bench.attach(host)), command).toMatchObject({ code: 'vmm-refused' });
      expect(bench.machine.devices, command).toEqual([]);
      expect((await bench.hypervisor.inventory({ timeoutMs: 100 })).backends, command).toEqual([]);
      expect(bench.attachments()).toEqual([]);
      expect(stores.store.read((tx) => tx.holders(host.identities[0].key))).toEqual([]);
    }
  });
});

describe.each(leaving)('$kind that leaves', (host) => {
  test('W43: place, claim and back end stay taken until the removal is confirmed', async () => {
    const bench = new Bench(stores.store, { buses: everyBus() });
    const attached = await bench.attach(host);
    const before = await bench.hypervisor.inventory({ timeoutMs: 100 });
    bench.machine.guest = { ...bench.machine.guest, onUnplug: 'ignores' };
    await errorOf(bench.detach(attached.id, { timeoutMs: 20 }));
    expect((await bench.hypervisor.inventory({ timeoutMs: 100 })).backends).toEqual(before.backends);
    expect(stores.store.read((tx) => tx.takenPlaces('vm1')).size).toBeGreaterThan(0);
    expect(stores.store.read((tx) => tx.holders(host.identities[0].key))).toHaveLength(1);
    for (const { id } of bench.machine.devices) bench.machine.letGo(id);
    await bench.settle();
    expect((await bench.hypervisor.inventory({ timeoutMs: 100 })).backends).toEqual([]);
    expect(bench.attachments()).toEqual([]);
    expect(stores.store.read((tx) => tx.takenPlaces('vm1')).size).toBe(0);
  });

  test('the same device again has the same serial, and names that the VM has not seen', async () => {
    const bench = new Bench(stores.store, { buses: everyBus() });
    const id = '0123456789abcdef';
    const first = await bench.attach(host, { id });
    await bench.detach(id);
    const second = await bench.attach(host, { id });
    expect(second.serial).toBe(first.serial);
    expect(second.plan.vmmId).not.toBe(first.plan.vmmId);
    await bench.detach(id);
    const third = await bench.attach(host, { id });
    expect(new Set([first, second, third].map(({ plan }) => plan.vmmId)).size).toBe(3);
  });
});

test('W16: an nvdimm stays: its detach is refused before anything is sent, and the VM ending frees it', async () => {
  const bench = new Bench(stores.store, { buses: everyBus() });
  const attached = await bench.attach(testPmem('pmem'));
  const sent = bench.machine.log.length;
  expect(await errorOf(bench.detach(attached.id))).toMatchObject({ code: 'unsupported' });
  expect(bench.machine.log).toHaveLength(sent);
  expect(bench.attachments()).toMatchObject([{ state: 'attached' }]);
});

test('W56: slots of nvdimms are the VMM’s: what it has is not given out again', async () => {
  const bench = new Bench(stores.store, { buses: everyBus() });
  const places = [];
  for (const name of ['a', 'b', 'c']) places.push((await bench.attach(testPmem(name))).place);
  expect(new Set(places.map((place) => JSON.stringify(place))).size).toBe(3);
});

test('a pmem file and a disk on it are one host device', async () => {
  const bench = new Bench(stores.store, { buses: everyBus() });
  await bench.attach(testPmem('one'));
  expect(await errorOf(bench.attach(testDisk('one')))).toMatchObject({ code: 'already-attached' });
});

test.each(sockets)(
  'guest memory that is not shared: $kind is refused before anything is touched',
  async (host) => {
    const bench = new Bench(stores.store, { facts: factsWithout('memory:shared') });
    expect(await errorOf(bench.attach(host))).toMatchObject({ code: 'unsupported' });
    expect(bench.machine.log).toEqual([]);
    expect(bench.attachments()).toEqual([]);
  },
);

test('W42: a CCW number is free again after the removal, and not before', async () => {
  const bench = new Bench(stores.store, { buses: everyBus() });
  const first = await bench.attach('a', { driver: 'virtio-blk-ccw' });
  expect(first.guest.ccw).toMatch(/^0\.\d\.[0-9a-f]{4}$/);
  const second = await bench.attach('b', { driver: 'virtio-blk-ccw' });
  expect(second.place).not.toEqual(first.place);
  await bench.detach(first.id);
  const third = await bench.attach('c', { driver: 'virtio-blk-ccw' });
  expect(third.place).toEqual(first.place);
});

test('W41: a failed network plug leaves neither slot nor network back end', async () => {
  const bench = new Bench(stores.store);
  bench.machine.fail({ on: 'device_add', do: 'refuse', text: 'no' });
  await errorOf(bench.attach(testSocket('vhost-user-net', 'net')));
  expect((await bench.hypervisor.inventory({ timeoutMs: 100 })).backends).toEqual([]);
  expect(stores.store.read((tx) => tx.takenPlaces('vm1')).size).toBe(0);
});
