import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  ErrDeviceNotAttached,
  ErrDeviceNotExist,
  ErrIDExhausted,
  ErrRemoveAttachedDevice,
} from '../../api/errors.ts';
import { deviceLogger, setLogger, silentLogger } from '../../api/logger.ts';
import { MockDeviceReceiver } from '../../api/mock-device-receiver.ts';
import { mostCounted } from '../../devices/managed/attach-count.ts';
import type { AnyDevice } from '../../devices/managed/counted-device.ts';
import {
  codeOf,
  driveOf,
  infoOf,
  memberOf,
  refusal,
  TestHost,
  TestReceiver,
} from '../../devices/managed/device.testing.ts';
import { SandboxDeviceManager } from './device-manager.ts';

const store = { enabled: true, path: '/var/run/kata-containers/vhost-user/' };
const hda = infoOf({ ContainerPath: '/dev/hda', DevType: 'b' });
const sda = infoOf({ ContainerPath: '/dev/sda', DevType: 'b', Major: 8 });

let host: TestHost;
let receiver: TestReceiver;
let manager: SandboxDeviceManager;
beforeEach(() => {
  host = new TestHost();
  receiver = new TestReceiver();
  manager = new SandboxDeviceManager({ host });
});

describe('NewDevice', () => {
  const vfio = infoOf({ DevType: 'c', Major: 252, Minor: 3, UID: 2, GID: 2, ContainerPath: '/dev/vfio/2' });

  test('7.3 NewDevice: no ContainerPath', async () => {
    expect(await codeOf(manager.newDevice({ ...vfio, ContainerPath: '' }))).toBe('no-container-path');
    expect(manager.getAllDevices()).toEqual([]);
  });

  test('7.3 NewDevice: what the host refuses is refused', async () => {
    host.getHostPath = () => Promise.reject(refusal('source-unsuitable'));
    expect(await codeOf(manager.newDevice(vfio))).toBe('source-unsuitable');
    expect(manager.getAllDevices()).toEqual([]);
  });

  test('7.3 NewDevice: a VFIO group; asked for again it is the same with reference 2', async () => {
    const first = await manager.newDevice(vfio);
    host.paths.set('252:3', '/dev/vfio/2');
    const device = await manager.newDevice(vfio);
    expect(device).toBe(first);
    expect(device.getRefCount()).toBe(2n);
    expect(device.deviceType()).toBe('vfio');
    expect(device.info).toMatchObject({ ...vfio, HostPath: '/dev/vfio/2', ID: device.deviceID() });
    expect(device.getMajorMinor()).toEqual([252, 3]);
  });

  test('1.4 a request is taken by value: one object used for several makes several devices', async () => {
    const info = { ...sda, DriverOptions: { fstype: 'ext4' } };
    const made = [1, 2].map((Minor) => {
      info.Minor = Minor;
      info.DriverOptions['fstype'] = `fs${Minor}`;
      return manager.newDevice(info);
    });
    const devices = await Promise.all(made);
    expect(devices.map((device) => device.getMajorMinor())).toEqual([
      [8, 1],
      [8, 2],
    ]);
    expect(devices.map((device) => device.info?.DriverOptions?.['fstype'])).toEqual(['fs1', 'fs2']);
  });

  test('7.3 VFIO attach: the mock receiver takes it', async () => {
    host.groups.set('/dev/vfio/2', [memberOf('0000:00:1c.0')]);
    await cycle(
      manager,
      await manager.newDevice(infoOf({ ContainerPath: '/dev/vfio/2', DevType: 'c' })),
      'vfio',
    );
  });

  test('7.3 generic: /dev/tty2', async () => {
    await cycle(
      manager,
      await manager.newDevice(infoOf({ ContainerPath: '/dev/tty2', DevType: 'c' })),
      'generic',
    );
  });

  test('7.3 block: /dev/hda; with another driver the same object comes back as it was', async () => {
    manager.blockDriver = 'virtio-blk';
    const device = await manager.newDevice(hda);
    await cycle(manager, device, 'block');
    manager.blockDriver = 'virtio-scsi';
    expect(await manager.newDevice(hda)).toBe(device);
    expect(device.info?.DriverOptions).toEqual({ 'block-driver': 'virtio-blk' });
  });

  test('7.3 vhost-user-blk: a node of the store', async () => {
    host.paths.set('241:0', `${store.path}block/sockets/vhostblk0`);
    manager = new SandboxDeviceManager({ host, vhostUserStore: store });
    const device = await manager.newDevice(infoOf({ ContainerPath: '/dev/vda', DevType: 'b', Major: 241 }));
    expect(device.getHostPath()).toBe(`${store.path}block/sockets/vhostblk0`);
    await cycle(manager, device, 'vhost-user-blk-pci');
  });

  async function cycle(from: SandboxDeviceManager, device: AnyDevice, type: string): Promise<void> {
    const mock = new MockDeviceReceiver();
    expect(device.deviceType()).toBe(type);
    await from.attachDevice(device.deviceID(), mock);
    expect(from.isDeviceAttached(device.deviceID())).toBe(true);
    await from.detachDevice(device.deviceID(), mock);
  }

  test.each([
    [undefined, 'virtio-scsi'],
    ['', 'virtio-scsi'],
    ['ide', 'virtio-scsi'],
    ['virtio-blk', 'virtio-blk'],
    ['virtio-blk-ccw', 'virtio-blk-ccw'],
    ['virtio-mmio', 'virtio-mmio'],
    ['nvdimm', 'nvdimm'],
  ])('4.1: block driver %s is %s', async (blockDriver, expected) => {
    const made = new SandboxDeviceManager({ host, ...(blockDriver === undefined ? {} : { blockDriver }) });
    expect(made.blockDriver).toBe(expected);
    expect((await made.newDevice(hda)).info?.DriverOptions).toEqual({ 'block-driver': expected });
  });

  test('W04: a vhost-user-scsi node is a vhost-user-scsi device, W05: where there is such a store', async () => {
    const scsi = infoOf({ ContainerPath: '/dev/sg0', DevType: 'b', Major: 242 });
    const blk = infoOf({ ContainerPath: '/dev/sda', DevType: 'b', Major: 241 });
    const without = await Promise.all([scsi, blk].map((info) => manager.newDevice(info)));
    expect(without.map((device) => device.deviceType())).toEqual(['block', 'block']);
    manager = new SandboxDeviceManager({ host, vhostUserStore: store });
    const device = await manager.newDevice(scsi);
    await manager.attachDevice(device.deviceID(), receiver);
    expect(device.getDeviceInfo()).toMatchObject({
      type: 'vhost-user-scsi-pci',
      attrs: { SocketPath: '/dev/sg0' },
    });
    expect((await manager.newDevice(blk)).deviceType()).toBe('vhost-user-blk-pci');
  });

  test.each([
    [-1, 0],
    [0, -1],
    [1.5, 0],
    [Number.NaN, 0],
    [2 ** 32, 0],
    [0, Number.POSITIVE_INFINITY],
  ])('%s:%s is no device number', async (Major, Minor) => {
    expect(await codeOf(manager.newDevice({ ...hda, Major, Minor }))).toBe('invalid-device-number');
  });

  test('a pmem request needs no ContainerPath, and its HostPath is not looked up', async () => {
    const pmem = infoOf({
      DevType: 'b',
      Major: 7,
      Pmem: true,
      HostPath: '/images/a',
      DriverOptions: { fstype: 'xfs' },
    });
    host.getHostPath = () => expect.fail('looked up');
    const device = await manager.newDevice(pmem);
    await manager.attachDevice(device.deviceID(), receiver);
    expect(driveOf(device)).toMatchObject({ File: '/images/a', Format: 'xfs', Pmem: true });
    expect(await codeOf(manager.newDevice({ ...pmem, HostPath: '' }))).toBe('invalid-argument');
  });

  test('the request is copied, the options too', async () => {
    const given = { ...hda, DriverOptions: { fstype: 'xfs', 'block-driver': 'mine' } };
    const device = await manager.newDevice(given);
    expect(given.DriverOptions).toEqual({ fstype: 'xfs', 'block-driver': 'mine' });
    given.DriverOptions.fstype = 'ext4';
    expect(device.info?.DriverOptions).toEqual({ fstype: 'xfs', 'block-driver': 'virtio-scsi' });
  });

  test('7.6 id retry limit: five ids in a row that are taken', async () => {
    host = new TestHost(['a', ...Array<string>(4).fill('a'), 'b', ...Array<string>(5).fill('a'), 'c']);
    manager = new SandboxDeviceManager({ host });
    expect((await manager.newDevice(hda)).deviceID()).toBe('a');
    expect((await manager.newDevice(sda)).deviceID()).toBe('b');
    const third = infoOf({ ContainerPath: '/dev/sdb', DevType: 'b', Major: 8, Minor: 16 });
    expect(await codeOf(manager.newDevice(third))).toBe(ErrIDExhausted);
    expect(manager.getAllDevices()).toHaveLength(2);
    expect((await manager.newDevice(third)).deviceID()).toBe('c');
  });

  test('a failing source of random ids fails at once', async () => {
    host.randomID = () => {
      throw new Error('no entropy');
    };
    await expect(manager.newDevice(hda)).rejects.toThrow('no entropy');
    expect(manager.getAllDevices()).toEqual([]);
  });

  test('no more devices than there may be; one that is there already is one of them', async () => {
    manager = new SandboxDeviceManager({ host, mostDevices: 1 });
    const device = await manager.newDevice(hda);
    expect(await codeOf(manager.newDevice(sda))).toBe('too-many-devices');
    expect(await manager.newDevice(hda)).toBe(device);
  });
});

describe('7.6 dedupe', () => {
  test('W01: a character and a block node with the same numbers are two devices', async () => {
    const numbers = { Major: 1, Minor: 3 };
    const c = await manager.newDevice(infoOf({ ContainerPath: '/dev/null', DevType: 'c', ...numbers }));
    const b = await manager.newDevice(infoOf({ ContainerPath: '/dev/ram3', DevType: 'b', ...numbers }));
    const u = await manager.newDevice(infoOf({ ContainerPath: '/dev/null', DevType: 'u', ...numbers }));
    expect(b).not.toBe(c);
    expect(b.deviceType()).toBe('block');
    expect(u, 'unbuffered ones are character nodes').toBe(c);
  });

  test('W02: requests without numbers are told apart by type and path', async () => {
    const a = infoOf({ ContainerPath: '/run/a', DevType: 'p' });
    const devices = [
      await manager.newDevice(a),
      await manager.newDevice({ ...a, ContainerPath: '/run/b' }),
      await manager.newDevice({ ...a, DevType: 'b' }),
    ];
    expect(new Set(devices).size).toBe(3);
    expect(await manager.newDevice(a)).toBe(devices[0]);
    expect(devices[0]?.getRefCount()).toBe(2n);
  });

  test('one node under two names is one device', async () => {
    const device = await manager.newDevice(sda);
    expect(
      await manager.newDevice({ ...sda, ContainerPath: '/dev/disk/by-id/x', UID: 1, GID: 2, FileMode: 3 }),
    ).toBe(device);
  });

  test.each([
    ['ReadOnly', { ReadOnly: true }],
    ['ColdPlug', { ColdPlug: true }],
    ['fstype', { DriverOptions: { fstype: 'xfs' } }],
    ['ReadOnly, ColdPlug', { ReadOnly: true, ColdPlug: true }],
  ])('W03: a request with another %s conflicts with the device that there is', async (fields, other) => {
    const device = await manager.newDevice(sda);
    await expect(manager.newDevice({ ...sda, ...other })).rejects.toMatchObject({
      code: 'device-conflict',
      facts: { holder: device.deviceID(), fields },
    });
    expect(device.getRefCount()).toBe(1n);
    await manager.removeDevice(device.deviceID());
    expect((await manager.newDevice({ ...sda, ...other })).getRefCount()).toBe(1n);
  });

  test('W03: an nvdimm is its file: another file on the same file system, and what that lies on, are others', async () => {
    const pmem = infoOf({ DevType: 'b', Major: 8, Minor: 0, Pmem: true, HostPath: '/a' });
    const first = await manager.newDevice(pmem);
    const others = [await manager.newDevice({ ...pmem, HostPath: '/b' }), await manager.newDevice(sda)];
    expect(new Set([first, ...others]).size).toBe(3);
    expect(await manager.newDevice({ ...pmem, Minor: 5 })).toBe(first);
  });

  test('two requests at once for one node make one device with two references', async () => {
    const [a, b] = await Promise.all([manager.newDevice(sda), manager.newDevice(sda)]);
    expect(a).toBe(b);
    expect(a?.getRefCount()).toBe(2n);
    expect(manager.getAllDevices()).toHaveLength(1);
  });

  test('a path that cannot be resolved fails, though the device is known', async () => {
    const device = await manager.newDevice(sda);
    host.getHostPath = () => Promise.reject(refusal('source-not-found'));
    expect(await codeOf(manager.newDevice(sda))).toBe('source-not-found');
    expect(device.getRefCount()).toBe(1n);
  });

  test('7.6 MAX counters: a reference beyond 2^64-1 is refused', async () => {
    const device = await manager.newDevice(sda);
    manager.loadDevices([{ ...device.save(), RefCount: mostCounted, AttachCount: mostCounted }]);
    const id = device.deviceID();
    const loaded = manager.getDeviceByID(id);
    expect(await codeOf(manager.newDevice(sda))).toBe('too-many-references');
    expect(await codeOf(manager.attachDevice(id, receiver))).toBe('too-many-attachments');
    expect([loaded?.getRefCount(), loaded?.getAttachCount()]).toEqual([mostCounted, mostCounted]);
    await manager.detachDevice(id, receiver);
    await manager.removeDevice(id);
    expect([loaded?.getRefCount(), loaded?.getAttachCount()]).toEqual([mostCounted - 1n, mostCounted - 1n]);
  });
});

test('7.3 attach/detach, 7.6 errors: an id that is not known', async () => {
  expect(await codeOf(manager.attachDevice('non-exist', receiver))).toBe(ErrDeviceNotExist);
  expect(await codeOf(manager.detachDevice('non-exist', receiver))).toBe(ErrDeviceNotExist);
  expect(await codeOf(manager.removeDevice('non-exist'))).toBe(ErrDeviceNotExist);
  expect(manager.isDeviceAttached('non-exist')).toBe(false);
  expect(manager.getDeviceByID('non-exist')).toBe(undefined);
});

test('7.3 attach/detach: attaching twice counts 1, then 2; detaching 1, then 0, and then no further', async () => {
  const device = await manager.newDevice(hda);
  const id = device.deviceID();
  const mock = new MockDeviceReceiver();
  for (const count of [1n, 2n]) {
    await manager.attachDevice(id, mock);
    expect(device.getAttachCount()).toBe(count);
    expect(manager.isDeviceAttached(id)).toBe(true);
  }
  for (const count of [1n, 0n]) {
    await manager.detachDevice(id, mock);
    expect(device.getAttachCount()).toBe(count);
  }
  expect(await codeOf(manager.detachDevice(id, mock))).toBe(ErrDeviceNotAttached);
  expect(device.getAttachCount()).toBe(0n);
  expect(manager.isDeviceAttached(id)).toBe(false);
  await manager.removeDevice(id);
  expect(manager.getAllDevices()).toEqual([]);
});

describe('RemoveDevice', () => {
  test('7.6 RemoveDevice with ref > 1: a reference is dropped, the device stays, attached or not', async () => {
    const device = await manager.newDevice(sda);
    await manager.newDevice(sda);
    await manager.attachDevice(device.deviceID(), receiver);
    await manager.removeDevice(device.deviceID());
    expect(manager.getDeviceByID(device.deviceID())).toBe(device);
    expect(device.getRefCount()).toBe(1n);
    expect([...receiver.plugged]).toEqual([device.deviceID()]);
  });

  test('7.6 errors, W46: the last reference of an attached device is refused, and kept', async () => {
    const device = await manager.newDevice(sda);
    const id = device.deviceID();
    await manager.attachDevice(id, receiver);
    for (let each = 0; each < 2; each += 1) {
      expect(await codeOf(manager.removeDevice(id))).toBe(ErrRemoveAttachedDevice);
      expect(device.getRefCount()).toBe(1n);
    }
    await manager.detachDevice(id, receiver);
    await manager.removeDevice(id);
    expect(manager.getDeviceByID(id)).toBe(undefined);
    expect(await manager.newDevice(sda), 'its numbers are free again').not.toBe(device);
  });
});

test('getAllDevices: a new list, ordered by id', async () => {
  host = new TestHost(['c', 'a', 'b']);
  manager = new SandboxDeviceManager({ host });
  for (const Minor of [1, 2, 3]) await manager.newDevice({ ...sda, Minor });
  expect(manager.getAllDevices().map((device) => device.deviceID())).toEqual(['a', 'b', 'c']);
  manager.getAllDevices().pop();
  expect(manager.getAllDevices()).toHaveLength(3);
});

test('4.1: devices to begin with are found by id and by number, without a reference more', async () => {
  const device = await manager.newDevice(sda);
  const other = new SandboxDeviceManager({ host, devices: [device] });
  expect(other.getDeviceByID(device.deviceID())).toBe(device);
  expect(device.getRefCount()).toBe(1n);
  expect(await other.newDevice(sda)).toBe(device);
});

describe('7.6 concurrent manager use', () => {
  test('W60: a deaf disk delays nobody else, and no lookup', async () => {
    const deaf = await manager.newDevice(sda);
    const other = await manager.newDevice({ ...sda, Minor: 16 });
    const answer = Promise.withResolvers<void>();
    receiver.during.set('add', () => answer.promise);
    const waiting = manager.attachDevice(deaf.deviceID(), receiver);
    await manager.attachDevice(other.deviceID(), receiver);
    await manager.newDevice({ ...sda, Minor: 32 });
    expect(manager.isDeviceAttached(other.deviceID())).toBe(true);
    expect(manager.isDeviceAttached(deaf.deviceID()), 'W61: not yet').toBe(false);
    expect(manager.getDeviceByID(deaf.deviceID())?.save()).toMatchObject({ AttachCount: 0 });
    answer.resolve();
    await waiting;
    expect(manager.isDeviceAttached(deaf.deviceID())).toBe(true);
  });

  test('what is asked of one device is done in that order', async () => {
    const device = await manager.newDevice(sda);
    const id = device.deviceID();
    await Promise.all([
      manager.attachDevice(id, receiver),
      manager.attachDevice(id, receiver),
      manager.detachDevice(id, receiver),
      manager.detachDevice(id, receiver),
      manager.attachDevice(id, receiver),
      manager.detachDevice(id, receiver),
      manager.removeDevice(id),
    ]);
    expect(receiver.calls.map((call) => call.split(' ')[0])).toEqual([
      'index',
      'add',
      'remove',
      'unset',
      'index',
      'add',
      'remove',
      'unset',
    ]);
    expect(manager.getAllDevices()).toEqual([]);
  });

  test('a failed attach does not stop what waits behind it', async () => {
    const id = (await manager.newDevice(sda)).deviceID();
    receiver.failures.set('add', refusal());
    const [first, second] = await Promise.allSettled([
      manager.attachDevice(id, receiver),
      manager.attachDevice(id, receiver),
    ]);
    expect([first?.status, second?.status]).toEqual(['rejected', 'fulfilled']);
    expect([...receiver.indexes]).toEqual([0]);
  });

  test('W66: two managers and their hosts have nothing in common', async () => {
    const elsewhere = new TestHost();
    elsewhere.paths.set('8:0', '/dev/vfio/9');
    const other = new SandboxDeviceManager({ host: elsewhere, blockDriver: 'virtio-blk' });
    expect((await other.newDevice(sda)).deviceType()).toBe('vfio');
    expect((await manager.newDevice(sda)).deviceType()).toBe('block');
    expect(manager.blockDriver).toBe('virtio-scsi');
  });
});

test('W13: a second manager, or the same made anew, changes nothing for the first', async () => {
  host.groups.set('/dev/vfio/1', [memberOf('0000:3b:00.0')]);
  host.groups.set('/dev/vfio/2', [memberOf('0000:3c:00.0')]);
  const payloads = [];
  for (const path of ['/dev/vfio/1', '/dev/vfio/2']) {
    const made = new SandboxDeviceManager({ host });
    const device = await made.newDevice(infoOf({ ContainerPath: path, DevType: 'c' }));
    await made.attachDevice(device.deviceID(), receiver);
    payloads.push(device.getDeviceInfo());
  }
  expect(payloads).toEqual([
    { type: 'vfio', devices: [expect.objectContaining({ Bus: '', BDF: '0000:3b:00.0' })] },
    { type: 'vfio', devices: [expect.objectContaining({ Bus: '', BDF: '0000:3c:00.0' })] },
  ]);
});

describe('7.6 LoadDevices', () => {
  const state = {
    ID: 'a',
    RefCount: 1,
    AttachCount: 1,
    DevType: 'b',
    Major: 8,
    Minor: 0,
    ColdPlug: false,
    DriverOptions: null,
  };
  const warnings: unknown[] = [];
  const before = deviceLogger();
  beforeEach(() => {
    warnings.length = 0;
    const logger = { ...silentLogger(), warn: (...line: unknown[]) => void warnings.push(line) };
    setLogger({ ...logger, withFields: () => logger });
  });
  afterEach(() => setLogger({ ...before, withFields: () => before }));

  test('every type is loaded (W35, W102); one that is not known is passed over with a warning', () => {
    const types = [
      'generic',
      'block',
      'vfio',
      'vhost-user-scsi-pci',
      'vhost-user-blk-pci',
      'virtio-net-pci',
      'vhost-user-fs-pci',
    ];
    manager.loadDevices(
      [...types, 'floppy'].map((Type, Minor) => ({ ...state, Type, ID: `${Minor}`, Minor })),
    );
    expect(manager.getAllDevices().map((device) => device.deviceType())).toEqual(types);
    expect(warnings).toEqual([[expect.any(String), { id: '7', type: 'floppy' }]]);
  });

  test('counts are those of the state; what is there stays, and the same id replaces', async () => {
    const kept = await manager.newDevice({ ...sda, Minor: 16 });
    manager.loadDevices([{ ...state, Type: 'block', RefCount: 5, AttachCount: 3 }]);
    expect(manager.getDeviceByID('a')?.save()).toMatchObject({ RefCount: 5, AttachCount: 3 });
    manager.loadDevices([{ ...state, Type: 'generic', Minor: 1 }]);
    expect(manager.getAllDevices()).toEqual([kept, manager.getDeviceByID('a')]);
    expect((await manager.newDevice(sda)).deviceID(), 'the numbers of the replaced one are free').not.toBe(
      'a',
    );
    expect((await manager.newDevice({ ...sda, Minor: 1 })).deviceID()).toBe('a');
  });

  test.each([
    ['W101: malformed', { ...state, Type: 'block', RefCount: -1 }, 'invalid-state'],
    ['W101: null', null, 'invalid-state'],
    ['without a type', { ...state, Type: '' }, 'invalid-state'],
    ['of another kind', { ...state, Type: 'vfio', BlockDrive: {} }, 'state-kind-mismatch'],
  ])('all or nothing: %s', (_, bad, code) => {
    const good = { ...state, Type: 'block', ID: 'good' };
    const load = (): void => manager.loadDevices([good, bad as typeof good]);
    expect(load).toThrow(expect.objectContaining({ code }));
    expect(manager.getAllDevices()).toEqual([]);
  });

  test('a device that is being attached is not replaced', async () => {
    const device = await manager.newDevice(sda);
    const attached = manager.attachDevice(device.deviceID(), receiver);
    expect(() => manager.loadDevices([device.save()])).toThrow(
      expect.objectContaining({ code: 'operation-in-progress' }),
    );
    await attached;
    expect(manager.getDeviceByID(device.deviceID())).toBe(device);
  });

  test('W95: a loaded disk is detached, attached again and found by its numbers', async () => {
    const device = await manager.newDevice(sda);
    await manager.attachDevice(device.deviceID(), receiver);
    const next = new SandboxDeviceManager({ host });
    next.loadDevices(manager.getAllDevices().map((each) => each.save()));
    await next.detachDevice(device.deviceID(), receiver);
    expect([...receiver.indexes]).toEqual([]);
    await next.attachDevice(device.deviceID(), receiver);
    const again = await next.newDevice(sda);
    expect(driveOf(again)).toEqual(driveOf(device));
  });
});

test('blockIndexes: those of disks that the VM has, that are on their way, and that it was started with', async () => {
  const [a, b, cold] = await Promise.all([
    manager.newDevice(sda),
    manager.newDevice({ ...sda, Minor: 16 }),
    manager.newDevice({ ...sda, Minor: 32, ColdPlug: true }),
  ]);
  for (const device of [a, b, cold]) await manager.attachDevice(device.deviceID(), receiver);
  expect(manager.blockIndexes()).toEqual(new Set([0, 1, 2]));
  receiver.during.set('remove', () => expect(manager.blockIndexes()).toEqual(new Set([0, 1, 2])));
  await manager.detachDevice(b.deviceID(), receiver);
  await manager.detachDevice(cold.deviceID(), receiver);
  expect(manager.blockIndexes()).toEqual(new Set([0, 2]));
  expect(manager.blockIndexes()).toEqual(receiver.indexes);
});
