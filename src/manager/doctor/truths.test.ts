import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HostDevice } from '../../api/host-device.ts';
import type { ManagedDeviceRecord } from '../../api/managed-device.ts';
import { resolveSource } from '../../host/resolve-source.ts';
import { everyBus } from '../../hypervisors/simulated/index.ts';
import { Bench, TestStore } from '../../operations/bench.testing.ts';
import { card, groupOfTwo, resolved } from '../../operations/leases.testing.ts';
import { examine, examineSandbox } from './doctor.ts';
import { isOpen, planOf, type Finding } from './finding.ts';

let stores: TestStore;
let bench: Bench;
beforeEach(() => {
  stores = new TestStore();
  bench = new Bench(stores.store);
});
afterEach(() => stores[Symbol.dispose]());

function image(name: string): string {
  const path = join(stores.directory, name);
  writeFileSync(path, Buffer.alloc(4096));
  return path;
}

const disk = (path: string): Promise<HostDevice> => resolveSource(path, {});
const look = (repair = false): Promise<Finding[]> => examineSandbox(bench.context, repair);

/** All that doctor could change. */
const everything = (): unknown => ({
  records: stores.store.read((tx) => [
    tx.attachments(),
    tx.operations({ sandbox: 'vm1' }),
    tx.sandboxes(),
    tx.leases(),
    tx.managedDevices('vm1'),
    [...tx.takenPlaces('vm1')],
  ]),
  devices: bench.machine.devices,
  backEnds: bench.machine.backEnds.names,
});

test('looking changes nothing, and says as a plan what repairing does', async () => {
  await bench.attach(await disk(image('kept')));
  const vanished = await bench.attach(await disk(image('vanished')));
  const orphan = await bench.attach(await disk(image('orphan')));
  const stuck = await bench.attach(await disk(image('stuck')), { wait: 'acknowledged' });
  bench.machine.letGo(vanished.plan.vmmId);
  stores.store.write((tx) => {
    tx.deleteAttachment(orphan.id);
    tx.putAttachment({ ...stuck, state: 'unknown' });
  });
  const was = everything();
  const found = await look();
  expect(found).toMatchObject([
    { problem: 'unsettled', device: stuck.id, why: expect.stringContaining('it has the device') },
    { problem: 'vanished', device: vanished.id },
    { problem: 'orphan-device', device: orphan.plan.vmmId },
  ]);
  expect(planOf(found)).toMatchObject([
    { device: stuck.id, by: 'repair', done: false },
    { device: vanished.id, by: 'repair', done: false },
    { device: orphan.plan.vmmId, by: 'person', done: false },
    { device: orphan.plan.vmmId, by: 'person', done: false },
  ]);
  expect(everything()).toEqual(was);
  await examine(bench.context, true, [{ sandbox: 'vm1', device: orphan.plan.vmmId }]);
  await look(true);
  expect(await look(true)).toEqual([]);
});

describe('this host', () => {
  test('an image that was deleted under an attached disk', async () => {
    const path = image('a');
    const { id } = await bench.attach(await disk(path));
    expect(await look()).toEqual([]);
    rmSync(path);
    expect(await look(true)).toMatchObject([
      { problem: 'host-changed', device: id, what: `${path} is gone from this host`, repaired: false },
    ]);
  });

  test('a file that was deleted under an nvdimm: it cannot be detached, so that is not the next step', async () => {
    const there = new Bench(stores.store, { name: 'vm3', buses: everyBus() });
    const path = image('memory');
    const { id } = await there.attach(await resolveSource(`pmem:${path}`, {}));
    rmSync(path);
    const [found] = await examineSandbox(there.context, false);
    expect(found).toMatchObject({ problem: 'host-changed', device: id });
    expect(JSON.stringify(found)).not.toContain('vmplug detach');
    expect(JSON.stringify(found?.plan)).toContain('vmplug sandbox stop vm3');
  });

  test('pain 45: an image that was replaced: the VM goes on with the old one, and that is said', async () => {
    const path = image('a');
    const { id } = await bench.attach(await disk(path));
    renameSync(image('b'), path);
    expect(await look(true)).toMatchObject([
      { problem: 'host-changed', device: id, what: expect.stringContaining('another file'), repaired: false },
    ]);
    expect(bench.machine.devices).toHaveLength(1);
  });

  test('a function that somebody took from vfio-pci', async () => {
    using host = groupOfTwo();
    const other = new Bench(stores.store, { name: 'vm2', sysfs: host });
    const { id } = await other.attach(await resolved(host));
    expect(await examineSandbox(other.context, false)).toEqual([]);
    host.remove(card);
    expect(await examineSandbox(other.context, true)).toMatchObject([
      { problem: 'host-changed', sandbox: 'vm2', device: id, what: expect.stringContaining(card) },
    ]);
  });
});

describe('what is wanted', () => {
  const managed = (ID: string, AttachCount: number): ManagedDeviceRecord => ({
    info: null,
    state: {
      ID,
      Type: 'block',
      RefCount: 1,
      AttachCount,
      DevType: 'b',
      Major: 1,
      Minor: 2,
      ColdPlug: false,
      DriverOptions: null,
    },
  });

  test.each([
    ['counted and not attached', 1, false],
    ['attached and not counted', 0, true],
  ])('%s', async (_, count, isAttached) => {
    const device = isAttached ? (await bench.attach('a')).id : '0123456789abcdef';
    stores.store.write((tx) => tx.putManagedDevice('vm1', managed(device, count)));
    expect(await examine(bench.context, true)).toMatchObject([
      { problem: 'miscounted', device, truths: { wanted: `${count} attachments` }, repaired: false },
    ]);
  });

  test('what agrees, and what a manager is in the middle of, is no finding', async () => {
    const { id } = await bench.attach('a');
    stores.store.write((tx) => {
      tx.putManagedDevice('vm1', managed(id, 1));
      tx.putManagedDevice('vm1', { ...managed('0123456789abcdef', 1), pending: 'attach' });
      tx.putManagedDevice('vm1', managed('fedcba9876543210', 0));
    });
    expect(await examine(bench.context, true)).toEqual([]);
  });
});

describe('a device of somebody else', () => {
  const plug = (id: string, args: Record<string, string>): Promise<unknown> =>
    Promise.all(
      bench.hypervisor.submit(
        [
          { execute: 'blockdev-add', arguments: { driver: 'file', 'node-name': id, filename: `/${id}` } },
          { execute: 'device_add', arguments: { driver: 'virtio-blk-pci', id, drive: id, ...args } },
        ],
        { timeoutMs: 1000 },
      ),
    );

  test('is named, is no problem and is not touched', async () => {
    await plug('theirs', { bus: 'port3', addr: '0' });
    const found = await examine(bench.context, true);
    expect(found).toMatchObject([{ problem: 'foreign-device', device: 'theirs', isNote: true }]);
    expect([found.filter(isOpen), planOf(found)]).toEqual([[], []]);
    expect(bench.machine.devices.map(({ id }) => id)).toEqual(['theirs']);
  });

  test('at a place that is given to one of ours is a problem, and is not touched either', async () => {
    const ours = await bench.attach('a');
    bench.machine.letGo(ours.plan.vmmId);
    if (ours.place.transport !== 'pci') throw new Error('it is on a port');
    await plug('theirs', { bus: ours.place.bus, addr: '0' });
    const found = await examine(bench.context, false);
    expect(found.filter(({ problem }) => problem === 'foreign-device')).toMatchObject([
      { device: 'theirs', what: expect.stringContaining(ours.id), plan: [{ by: 'person' }] },
    ]);
    expect(found.some(isOpen)).toBe(true);
  });
});
