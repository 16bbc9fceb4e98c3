import { beforeEach, describe, expect, test } from 'vitest';
import { ErrIDExhausted } from '../../api/errors.ts';
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
