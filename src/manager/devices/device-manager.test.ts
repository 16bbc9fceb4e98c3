import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ErrDeviceNotAttached, ErrDeviceNotExist, ErrRemoveAttachedDevice } from '../../api/errors.ts';
import { deviceLogger, setLogger, silentLogger } from '../../api/logger.ts';
import { MockDeviceReceiver } from '../../api/mock-device-receiver.ts';
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
