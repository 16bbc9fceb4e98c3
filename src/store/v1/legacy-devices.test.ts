import { expect, test } from 'vitest';
import { readLegacyDevices } from './legacy-devices.ts';

const DeviceInfo = {
  HostPath: '/dev/dm-4',
  DevType: 'b',
  Major: 253,
  Minor: 4,
  ReadOnly: true,
  FileMode: 432,
  ID: 'd1',
};

const devices = [
  {
    Type: 'block',
    Data: {
      ID: 'd1',
      DeviceInfo,
      RefCount: 2,
      AttachCount: 1,
      BlockDrive: {
        File: '/dev/dm-4',
        Format: 'raw',
        ID: 'drive-d1',
        Index: 3,
        ReadOnly: true,
        PCIAddr: '02/03',
      },
    },
  },
  {
    Type: 'vfio',
    Data: { ID: 'd2', DeviceInfo: { DevType: 'c' }, VfioDevs: [{ ID: 'vfio-d20', Type: 1, BDF: '02:10.0' }] },
  },
  { Type: 'generic', Data: { ID: 'd3', DeviceInfo: null } },
  {
    Type: 'vhost-user-blk-pci',
    Data: { ID: 'd4', VhostUserDeviceAttrs: { SocketPath: '/run/v.sock', Index: -1 } },
  },
  { Type: 'virtio-net-pci', Data: { ID: 'd5', DevID: 'x', MacAddress: '52:54:00:12:34:56' } },
  { Type: 'teleporter', Data: { ID: 'd6' } },
];

const read = (value: unknown): ReturnType<typeof readLegacyDevices> =>
  readLegacyDevices(Buffer.from(JSON.stringify(value)), 'devices.json');

test('5.8: the older store is read, with what it kept of a request', () => {
  const [block, vfio, generic] = read(devices).devices;
  expect(block).toMatchObject({
    state: { ID: 'd1', Type: 'block', RefCount: 2, AttachCount: 1, Major: 253, BlockDrive: { Index: 3 } },
    info: { HostPath: '/dev/dm-4', ReadOnly: true, FileMode: 432, ID: 'd1' },
    drive: { ReadOnly: true, ShareRW: false },
  });
  expect(vfio?.state.VFIODevs).toEqual([{ ID: 'vfio-d20', Type: 1, BDF: '02:10.0', SysfsDev: '' }]);
  expect(generic?.state).toMatchObject({ ID: 'd3', Type: 'generic', RefCount: 0 });
});

test('W102: vhost-user devices are read, and one of an unknown type costs no other', () => {
  const { devices: found, skipped } = read(devices);
  expect(found.map(({ state }) => state.ID)).toEqual(['d1', 'd2', 'd3', 'd4', 'd5']);
  expect(found[3]?.state.VhostUserDev).toMatchObject({ SocketPath: '/run/v.sock', Index: -1 });
  expect(found[4]?.state.VhostUserDev).toMatchObject({ DevID: 'x', MacAddress: '52:54:00:12:34:56' });
  expect(skipped).toEqual(['teleporter']);
});

test('a store without devices, which Go writes as null', () => {
  expect(read(null)).toEqual({ devices: [], skipped: [] });
});

test.each([
  [[{ Type: 'block', Data: { ID: 'a', RefCount: -1 } }], '$[0].Data.RefCount'],
  [[{ Type: 'block', Data: { ID: 'a', DeviceInfo: { Major: 'x' } } }], '$[0].Data.DeviceInfo.Major'],
  [[{ Type: 7 }], '$[0].Type'],
  [{}, '$'],
])('what it could not have kept is refused: %j', (value, path) => {
  expect(() => read(value)).toThrow(
    expect.objectContaining({ code: 'invalid-state', facts: expect.objectContaining({ path }) }),
  );
});
