import { describe, expect, test } from 'vitest';
import type { DeviceState } from '../../api/device-state.ts';
import { parseExact, stringifyExact } from '../../api/exact-json.ts';
import { PciPath } from '../../api/pci-path.ts';
import { mostCounted } from './attach-count.ts';
import { BlockDevice } from './block-device.ts';
import type { AnyDevice } from './counted-device.ts';
import { attrsOf, driveOf, infoOf, memberOf, membersOf, TestHost, TestReceiver } from './device.testing.ts';
import { GenericDevice } from './generic-device.ts';
import { VFIODevice } from './vfio-device.ts';
import { VhostUserBlkDevice } from './vhost-user-blk-device.ts';
import { VhostUserFSDevice } from './vhost-user-fs-device.ts';
import { VhostUserNetDevice } from './vhost-user-net-device.ts';
import { VhostUserSCSIDevice } from './vhost-user-scsi-device.ts';

const id = '5f0c6a1be8d2470e';
const info = infoOf({
  ID: id,
  HostPath: '/dev/dm-4',
  ContainerPath: '/dev/xda',
  DevType: 'b',
  Major: 253,
  Minor: 4,
  ReadOnly: true,
  FileMode: 0o660,
  UID: 7,
  GID: 8,
  DriverOptions: { 'block-driver': 'virtio-blk' },
});
const attrs = { MacAddress: '52:54:00:12:34:56', Tag: 'share', CacheSize: 512, Cache: 'auto' };
const host = new TestHost();
host.groups.set('/dev/vfio/2', ['0000:3b:00.0', '0001:3b:00.1'].map(memberOf));

const kinds: readonly [string, () => AnyDevice, () => AnyDevice][] = [
  ['generic', () => new GenericDevice(info), () => new GenericDevice(null)],
  ['block', () => new BlockDevice(info), () => new BlockDevice(null)],
  [
    'vfio',
    () => new VFIODevice({ ...info, HostPath: '/dev/vfio/2' }, host),
    () => new VFIODevice(null, host),
  ],
  ['vhost-user-blk-pci', () => new VhostUserBlkDevice(info), () => new VhostUserBlkDevice(null)],
  [
    'vhost-user-scsi-pci',
    () => new VhostUserSCSIDevice(info, host, attrs),
    () => new VhostUserSCSIDevice(null, host),
  ],
  [
    'virtio-net-pci',
    () => new VhostUserNetDevice(info, host, attrs),
    () => new VhostUserNetDevice(null, host),
  ],
  [
    'W35: vhost-user-fs-pci',
    () => new VhostUserFSDevice(info, host, attrs),
    () => new VhostUserFSDevice(null, host),
  ],
];

/** As it comes back from a file. */
function written<T extends object>(value: T): T {
  return parseExact(stringifyExact(value)) as unknown as T;
}

test('5.2: the example of the contract is what is saved', async () => {
  const device = new BlockDevice({ ...info, ReadOnly: false });
  await device.attach(new TestReceiver());
  device.reference();
  expect(device.save()).toEqual({
    ID: id,
    Type: 'block',
    RefCount: 1,
    AttachCount: 1,
    DevType: 'b',
    Major: 253,
    Minor: 4,
    ColdPlug: false,
    DriverOptions: { 'block-driver': 'virtio-blk' },
    BlockDrive: {
      File: '/dev/dm-4',
      Format: 'raw',
      ID: `drive-${id}`,
      Index: 0,
      MmioAddr: '',
      PCIPath: {},
      SCSIAddr: '',
      NvdimmID: '',
      VirtPath: '/dev/vda',
      DevNo: '',
      Pmem: false,
    },
  });
});

describe.each(kinds)('7.6 Save/Load round trip: %s', (_, made, empty) => {
  test('what v1 saves comes back, attached and not', async () => {
    const device = made();
    for (const attached of [false, true]) {
      if (attached) await device.attach(new TestReceiver());
      const loaded = empty();
      loaded.load(written(device.save()));
      expect(loaded.save()).toEqual(device.save());
      expect(loaded.deviceID()).toBe(id);
      expect(loaded.isAttached()).toBe(attached);
    }
  });

  test('W95: all else comes back too, from what is kept beyond v1’s form', async () => {
    const device = made();
    await device.attach(new TestReceiver());
    const loaded = empty();
    loaded.restore(written(device.record()));
    expect(loaded.info).toEqual(device.info);
    expect(loaded.getDeviceInfo()).toEqual(device.getDeviceInfo());
    expect(loaded.record()).toEqual(device.record());
  });

  test('what is saved shares nothing with the device, and neither does what is loaded', async () => {
    const device = made();
    await device.attach(new TestReceiver());
    const before = structuredClone(device.record());
    const state = device.save();
    const loaded = empty();
    loaded.load(state);
    if (state.DriverOptions !== null) state.DriverOptions['block-driver'] = 'changed';
    if (state.BlockDrive !== undefined) state.BlockDrive.Index = 99;
    if (state.VhostUserDev !== undefined) state.VhostUserDev.Index = 99;
    for (const member of state.VFIODevs ?? []) member.BDF = 'changed';
    state.VFIODevs?.pop();
    expect(device.record()).toEqual(before);
    expect(loaded.save()).toEqual(before.state);
  });

  test('a state of another kind is refused, and nothing is loaded', () => {
    const device = made();
    const before = device.record();
    const state = device.save();
    const other =
      state.Type === 'block'
        ? { VFIODevs: [{ ID: '', Type: 1, BDF: '', SysfsDev: '' }] }
        : { BlockDrive: {} };
    for (const wrong of [
      { ...state, Type: 'other' },
      { ...state, ID: 'x', ...other },
    ]) {
      expect(() => device.load(wrong as DeviceState)).toThrow(
        expect.objectContaining({ code: 'state-kind-mismatch' }),
      );
    }
    expect(device.record()).toEqual(before);
  });

  test('Appendix A: lists and maps that Go wrote as null, or left out, are empty', () => {
    const state = {
      ...made().save(),
      DriverOptions: null,
      VFIODevs: null,
      BlockDrive: null,
      VhostUserDev: null,
    };
    const loaded = empty();
    loaded.load(state as unknown as DeviceState);
    expect(loaded.save()).toMatchObject({ ID: id, DriverOptions: null });
  });
});

test('Appendix A: counts up to 2^64-1 come back exactly', () => {
  const device = new GenericDevice(null);
  device.load(
    written({ ...new GenericDevice(info).save(), RefCount: mostCounted, AttachCount: 2n ** 53n + 1n }),
  );
  expect([device.getRefCount(), device.getAttachCount()]).toEqual([mostCounted, 2n ** 53n + 1n]);
});

test('W94: PCI paths outlive a save; v1’s {} is none', async () => {
  const receiver = new TestReceiver();
  const device = new BlockDevice(info);
  receiver.during.set('add', () => void (driveOf(device).PCIPath = PciPath.parse('02/01')));
  await device.attach(receiver);
  const loaded = new BlockDevice(null);
  loaded.load(written(device.save()));
  expect(driveOf(loaded).PCIPath.toString()).toBe('02/01');
  const drive = device.save().BlockDrive;
  loaded.load({
    ...device.save(),
    ...(drive === undefined ? {} : { BlockDrive: { ...drive, PCIPath: {} } }),
  });
  expect(driveOf(loaded).PCIPath.isNil()).toBe(true);
});

describe('W95: a device that v1 saved can be attached again', () => {
  test('the path of a disk is that of its drive, that of a vhost-user device its socket', async () => {
    for (const device of [new BlockDevice(info), new VhostUserBlkDevice(info)]) {
      await device.attach(new TestReceiver());
      const loaded = device instanceof BlockDevice ? new BlockDevice(null) : new VhostUserBlkDevice(null);
      loaded.load(device.save());
      await loaded.detach(new TestReceiver());
      await loaded.attach(new TestReceiver());
      expect(loaded.getHostPath()).toBe('/dev/dm-4');
      expect(loaded.save()).toEqual(device.save());
    }
  });

  test('the path of a group is asked for by a member of it', async () => {
    const device = new VFIODevice({ ...info, HostPath: '/dev/vfio/2' }, host);
    await device.attach(new TestReceiver());
    const loaded = new VFIODevice(null, host);
    loaded.load(device.save());
    await loaded.detach(new TestReceiver());
    await loaded.attach(new TestReceiver());
    expect(membersOf(loaded)).toEqual(membersOf(device));
  });

  test('attributes of a boot device that took no index have none', () => {
    const device = new VhostUserNetDevice(info, host, attrs);
    const state = device.save();
    if (state.VhostUserDev !== undefined) state.VhostUserDev.Index = 0;
    device.load(state);
    expect(attrsOf(device)).toMatchObject({
      Index: -1,
      MacAddress: attrs.MacAddress,
      SocketPath: '/dev/dm-4',
    });
  });
});

test('numbers of a node that v1 was asked for and the host does not have are loaded as they are', () => {
  const device = new GenericDevice(null);
  device.load({ ...new GenericDevice(info).save(), Major: -1, Minor: -1 });
  expect(device.getMajorMinor()).toEqual([-1, -1]);
  expect(device.save()).toMatchObject({ Major: -1, Minor: -1 });
});

describe('W101: what could not have been written is refused whole, and said where', () => {
  const block = new BlockDevice(info).save();
  const group = { ...block, Type: 'vfio' };
  const member = { ID: 'a', Type: 1, BDF: '0000:3b:00.0', SysfsDev: '/sys' };
  test.each<[string, unknown, RegExp]>([
    ['no object', null, /null/],
    ['a list', [], /not an object/],
    ['no id', { ...block, ID: '' }, /no ID/],
    ['an id that is a number', { ...block, ID: 7 }, /ID/],
    ['a negative count', { ...block, AttachCount: -1 }, /AttachCount/],
    ['half a count', { ...block, RefCount: 0.5 }, /RefCount/],
    ['a count that was rounded', { ...block, RefCount: 2 ** 60 }, /RefCount/],
    ['a count beyond 64 bits', { ...block, RefCount: 2n ** 64n }, /RefCount/],
    ['a count in words', { ...block, RefCount: '1' }, /RefCount/],
    ['another node type', { ...block, DevType: 'x' }, /DevType/],
    ['half a number', { ...block, Major: 1.5 }, /Major/],
    ['a flag that is none', { ...block, ColdPlug: 'yes' }, /ColdPlug/],
    ['options that are a list', { ...block, DriverOptions: [] }, /DriverOptions/],
    ['an option that is a number', { ...block, DriverOptions: { a: 1 } }, /DriverOptions\.a/],
    ['a drive that is a text', { ...block, BlockDrive: 'x' }, /BlockDrive/],
    ['an index that is none', { ...block, BlockDrive: { Index: -2 } }, /BlockDrive\.Index/],
    ['a file that is a number', { ...block, BlockDrive: { File: 1 } }, /BlockDrive\.File/],
    ['a PCI path that is none', { ...block, BlockDrive: { PCIPath: '20' } }, /BlockDrive\.PCIPath/],
    ['a PCI path that is a number', { ...block, BlockDrive: { PCIPath: 2 } }, /BlockDrive\.PCIPath/],
    ['members that are no list', { ...group, VFIODevs: {} }, /VFIODevs/],
    ['a null member', { ...group, VFIODevs: [member, member, null] }, /VFIODevs\[2\]/],
    ['a member of no type', { ...group, VFIODevs: [{ ...member, Type: 9 }] }, /VFIODevs\[0\]\.Type/],
  ])('%s', (_, state, reason) => {
    const isGroup = typeof state === 'object' && state !== null && 'VFIODevs' in state;
    const device = isGroup ? new VFIODevice(info, host) : new BlockDevice(info);
    const before = device.record();
    expect(() => device.load(state as DeviceState)).toThrow(
      expect.objectContaining({ code: 'invalid-state', reason: expect.stringMatching(reason) as string }),
    );
    expect(device.record()).toEqual(before);
  });
});

test('vhost-user attributes of another type than their device are refused', async () => {
  const device = new VhostUserBlkDevice(info);
  await device.attach(new TestReceiver());
  const state = device.save();
  if (state.VhostUserDev !== undefined) state.VhostUserDev.Type = 'virtio-net-pci';
  expect(() => device.load(state)).toThrow(expect.objectContaining({ code: 'state-kind-mismatch' }));
});
