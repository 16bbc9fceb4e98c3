import { expect, test } from 'vitest';
import type { DeviceState } from '../../api/device-state.ts';
import type { HostDisk } from '../../api/host-device.ts';
import { unitsOf, unplugCommands, releaseCommands } from '../../api/plan.ts';
import { rootPorts } from '../../hypervisors/simulated/index.ts';
import { Bench, TestStore } from '../../operations/bench.testing.ts';
import { pluggedByV1 } from './plugged.ts';

const id = '5f0c6a1be8d2470e';
const bridges = [
  {
    Type: 'pci',
    ID: 'pci-bridge-0',
    Addr: 2,
    DeviceAddr: { '1': `drive-${id}`, '3': 'vfio-a0', '4': 'vfio-a1' },
  },
];
const sandbox = { name: 'vm1', bridges };
const disk: HostDisk = {
  kind: 'block',
  source: '/dev/dm-4',
  layers: [{ path: '/dev/dm-4', format: 'raw', protocol: 'host_device' }],
  virtualSize: 1 << 20,
  identities: [{ key: 'block:253:4', mode: 'shared-write' }],
  readOnly: false,
  shareRw: true,
  major: 253,
  minor: 4,
};

function drive(driver: string, rest: Partial<DeviceState> = {}): DeviceState {
  return {
    ID: id,
    Type: 'block',
    RefCount: 1,
    AttachCount: 1,
    DevType: 'b',
    Major: 253,
    Minor: 4,
    ColdPlug: false,
    DriverOptions: { 'block-driver': driver },
    BlockDrive: {
      File: '/dev/dm-4',
      Format: 'raw',
      ID: `drive-${id}`,
      Index: 257,
      MmioAddr: '',
      PCIPath: {},
      SCSIAddr: '',
      NvdimmID: '',
      VirtPath: '/dev/vda',
      DevNo: '',
      Pmem: false,
    },
    ...rest,
  };
}

test('a virtio-blk drive is at the slot under which its bridge lists it, by v1’s names', () => {
  const attachment = pluggedByV1(drive('virtio-blk'), sandbox, disk);
  expect(attachment).toMatchObject({
    id,
    driver: 'virtio-blk',
    place: { bus: 'pci-bridge-0', slot: 1, path: ['02', '01'] },
    guest: { pciPath: '02/01' },
  });
  if (attachment === undefined) throw new TypeError('nothing plugged');
  expect(unplugCommands(attachment.plan)).toEqual([
    { execute: 'device_del', arguments: { id: `virtio-drive-${id}` } },
  ]);
  expect(releaseCommands(attachment.plan)).toEqual([
    { execute: 'blockdev-del', arguments: { 'node-name': `drive-${id}` } },
  ]);
});

test('a SCSI disk is at the address of its index', () => {
  expect(pluggedByV1(drive('virtio-scsi'), sandbox, disk)).toMatchObject({
    place: { transport: 'scsi', bus: 'scsi0.0', scsiId: 1, lun: 1 },
  });
});

test('a group is all of its members, with domain', () => {
  const member = (ID: string, BDF: string) => ({
    ID,
    Type: 1,
    BDF,
    SysfsDev: `/sys/bus/pci/devices/0000:${BDF}`,
  });
  const { BlockDrive: _, ...rest } = drive('x', { Type: 'vfio' });
  const state = { ...rest, VFIODevs: [member('vfio-a0', '02:00.0'), member('vfio-a1', '02:00.1')] };
  const attachment = pluggedByV1(state, sandbox, undefined);
  if (attachment === undefined) throw new TypeError('nothing plugged');
  expect(unitsOf(attachment).map(({ vmmId }) => vmmId)).toEqual(['vfio-a0', 'vfio-a1']);
  expect(attachment.host.identities.map(({ key }) => key)).toEqual(['pci:0000:02:00.0', 'pci:0000:02:00.1']);
  const partly = { ...state, VFIODevs: [member('vfio-a0', '02:00.0'), member('vfio-zz', '02:00.1')] };
  expect(pluggedByV1(partly, sandbox, undefined)).toBeUndefined();
});

test('W12: a member that v1 listed at each of its attaches is plugged once', () => {
  const member = { ID: 'vfio-a0', Type: 1, BDF: '02:00.0', SysfsDev: '/sys/bus/pci/devices/0000:02:00.0' };
  const { BlockDrive: _, ...rest } = drive('x', { Type: 'vfio' });
  const attachment = pluggedByV1({ ...rest, VFIODevs: [member, member] }, sandbox, undefined);
  if (attachment === undefined) throw new TypeError('nothing plugged');
  expect(unitsOf(attachment).map(({ vmmId }) => vmmId)).toEqual(['vfio-a0']);
  expect(unplugCommands(attachment.plan)).toHaveLength(1);
  expect(attachment.host.identities).toHaveLength(1);
});

test.each([
  ['not attached', drive('virtio-blk', { AttachCount: 0 })],
  ['part of the boot configuration', drive('virtio-blk', { ColdPlug: true })],
  ['of a driver whose place v1 does not tell', drive('virtio-mmio')],
])('nothing is made up for one that is %s', (_, state) => {
  expect(pluggedByV1(state, sandbox, disk)).toBeUndefined();
});

test('what v1 plugged is detached like any other, and its manager’s device counts no attachment', async () => {
  using stores = new TestStore();
  const bench = new Bench(stores.store, { buses: rootPorts(2) });
  const state = drive('virtio-blk');
  const attachment = pluggedByV1(
    state,
    { name: 'vm1', bridges: bridges.map((bridge) => ({ ...bridge, ID: 'port0' })) },
    disk,
  );
  if (attachment === undefined) throw new TypeError('nothing plugged');
  await Promise.all(
    bench.hypervisor.submit(
      [
        {
          execute: 'blockdev-add',
          arguments: {
            driver: 'raw',
            'node-name': `drive-${id}`,
            file: { driver: 'file', 'node-name': 'x', filename: '/x' },
          },
        },
        {
          execute: 'device_add',
          arguments: {
            driver: 'virtio-blk-pci',
            id: `virtio-drive-${id}`,
            drive: `drive-${id}`,
            bus: 'port0',
            addr: '0',
          },
        },
      ],
      { timeoutMs: 1000 },
    ),
  );
  stores.store.write((tx) => {
    tx.putAttachment(attachment);
    tx.putManagedDevice('vm1', { state, info: null });
  });
  await bench.detach(id);
  expect(bench.machine.devices).toEqual([]);
  expect(bench.machine.nodes.names).toEqual([]);
  expect(stores.store.read((tx) => tx.managedDevice('vm1', id)?.state)).toMatchObject({
    RefCount: 1,
    AttachCount: 0,
  });
});
