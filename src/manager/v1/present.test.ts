import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AttachmentRecord } from '../../api/attachment.ts';
import type { HostDevice } from '../../api/host-device.ts';
import type { ManagedDeviceRecord } from '../../api/managed-device.ts';
import type { Place } from '../../api/place.ts';
import { attachmentRecord, sandboxRecord } from '../../store/records.testing.ts';
import type { SandboxState } from '../../store/v1/documents.ts';
import { anySandboxState, rich } from '../../store/v1/documents.testing.ts';
import { printSandboxState } from '../../store/v1/print.ts';
import { readSandboxState } from '../../store/v1/read.ts';
import { emptyV1State } from './empty-state.ts';
import { withPresentDevices } from './present.ts';

const imported = readSandboxState(Buffer.from(rich), 'rich');
const managed: ManagedDeviceRecord[] = (imported.Devices ?? []).map((state) => ({ state, info: null }));
const nothing = { managed: [], attachments: [] };
const indexes = (state: SandboxState): number[] =>
  Object.keys(state.HypervisorState.BlockIndexMap)
    .map(Number)
    .sort((a, b) => a - b);

test('devices that have not changed leave the state as it was', () => {
  expect(withPresentDevices(imported, { managed, attachments: [] })).toEqual(imported);
  expect(withPresentDevices(imported, { managed: managed.toReversed(), attachments: [] })).toEqual(imported);
});

test('any state of v1 is exported as it was imported, while its devices are as they were', () => {
  fc.assert(
    fc.property(anySandboxState, (state) => {
      const devices = (state.Devices ?? []).map((device) => ({ state: device, info: null }));
      const now = withPresentDevices(state, { managed: devices, attachments: [] });
      const taken = state.HypervisorState.BlockIndexMap;
      expect(now).toEqual({
        ...state,
        HypervisorState: { ...state.HypervisorState, BlockIndexMap: now.HypervisorState.BlockIndexMap },
      });
      // An index in use that v1 had not noted is added.
      expect(now.HypervisorState.BlockIndexMap).toMatchObject(taken);
    }),
  );
});

test('a removed device gives back its index and its slot; an index that no device explains stays', () => {
  const left = withPresentDevices(imported, { managed: managed.slice(1), attachments: [] });
  expect(indexes(left)).toEqual([2, 10, 257]);
  expect(left.HypervisorState.Bridges?.[0]?.DeviceAddr).toEqual({ 7: 'foreign' });
  expect(left.Devices).toHaveLength(5);
});

test('a detached device stays with its payload, and gives back its index', () => {
  const detached = managed.map((record, index) =>
    index === 0 ? { ...record, state: { ...record.state, AttachCount: 0 } } : record,
  );
  const state = withPresentDevices(imported, { managed: detached, attachments: [] });
  expect(state.Devices?.[0]).toMatchObject({ AttachCount: 0, BlockDrive: { Index: 0 } });
  expect(indexes(state)).toEqual([2, 10, 257]);
});

test('a device of a type that v1 does not know stays in the document', () => {
  const generic = imported.Devices?.find(({ Type }) => Type === 'generic');
  const unknown = {
    ...imported,
    Devices: generic === undefined ? [] : [{ ...generic, ID: 'x', Type: 'new' }],
  };
  const state = readSandboxState(Buffer.from(printSandboxState(unknown)), 'f');
  expect(withPresentDevices(state, nothing).Devices?.map(({ ID }) => ID)).toEqual(['x']);
});

test('W10: v1 puts the domain 0000 before an address itself', () => {
  const state = withPresentDevices(imported, {
    managed: managed.map((record) => ({
      ...record,
      state: {
        ...record.state,
        ...(record.state.VFIODevs === undefined
          ? {}
          : { VFIODevs: [{ ID: 'v', Type: 1, BDF: '0000:3b:00.0', SysfsDev: '/s' }] }),
      },
    })),
    attachments: [],
  });
  expect(state.Devices?.[2]?.VFIODevs?.[0]?.BDF).toBe('3b:00.0');
});

function attached(id: string, host: HostDevice, more: Partial<AttachmentRecord> = {}): AttachmentRecord {
  return { ...attachmentRecord(id, 'vm1'), kind: host.kind, host, ...more };
}
const scsi = (scsiId: number, lun: number): Place => ({
  transport: 'scsi',
  bus: 'scsi0.0',
  channel: 0,
  scsiId,
  lun,
  controller: 'scsi0',
  unplug: 'immediate',
});
const claim = [{ key: 'k', mode: 'exclusive' }] as const;
const vhost = {
  socket: '/run/v.sock',
  source: 's',
  identities: claim,
  readOnly: false,
  shareRw: false,
} as const;
const empty = emptyV1State(sandboxRecord('vm1'), 'unknown');

test('a sandbox that v1 never had has v1’s defaults, and every key', () => {
  expect(empty).toMatchObject({
    PersistVersion: 2,
    State: 'running',
    SandboxContainer: 'vm1',
    Devices: null,
    HypervisorState: { Type: 'mock', BlockIndexMap: {} },
    Config: { HypervisorConfig: { DefaultBridges: 1, BlockDeviceDriver: 'virtio-scsi', MemorySize: 2048 } },
  });
  expect(withPresentDevices(empty, nothing)).toEqual(empty);
  expect(emptyV1State(sandboxRecord('vm1'), 'ended').State).toBe('stopped');
});

test('a disk becomes a block device whose index no other has', () => {
  const disks = ['d1', 'd2'].map((id) => attachmentRecord(id, 'vm1'));
  const unit = { ...attachmentRecord('d3', 'vm1'), driver: 'virtio-scsi' as const, place: scsi(0, 1) };
  const state = withPresentDevices(imported, { managed, attachments: [...disks, unit] });
  expect(state.Devices?.slice(6)).toMatchObject([
    {
      ID: 'd1',
      Type: 'block',
      RefCount: 1,
      AttachCount: 1,
      DriverOptions: { 'block-driver': 'virtio-blk' },
      BlockDrive: {
        File: '/images/d1',
        ID: 'drive-d1',
        Index: 1,
        PCIPath: '02/00',
        VirtPath: '',
        SCSIAddr: '',
      },
    },
    { BlockDrive: { Index: 3 } },
    { BlockDrive: { SCSIAddr: '0:1', Index: 4 } },
  ]);
  expect(indexes(state)).toEqual([0, 1, 2, 3, 4, 10, 257]);
});

test('a SCSI unit takes the index of its address where that is free, so that v1 addresses no other there', () => {
  const unit = { ...attachmentRecord('d1', 'vm1'), driver: 'virtio-scsi' as const, place: scsi(1, 2) };
  const state = withPresentDevices(empty, { managed: [], attachments: [unit] });
  expect(state.Devices?.[0]?.BlockDrive).toMatchObject({ Index: 258, SCSIAddr: '1:2', PCIPath: '' });
});

test('every other kind of host device becomes what v1 calls it', () => {
  const vfio: HostDevice = {
    kind: 'vfio',
    source: 's',
    group: '7',
    functions: [
      {
        type: 1,
        address: '0000:3b:00.0',
        sysfsDev: '/sys/bus/pci/devices/0000:3b:00.0',
        vendorId: '',
        deviceId: '',
        classCode: '',
        isPcie: true,
      },
    ],
    identities: claim,
    readOnly: false,
    shareRw: false,
  };
  const pmem: HostDevice = { ...vhost, kind: 'pmem', path: '/srv/pmem', size: 4096 };
  const attachments = [
    attached('d1', vfio),
    attached('d2', pmem, {
      driver: 'nvdimm',
      guest: { pmem: '/dev/pmem3' },
      place: { transport: 'memory', bus: 'm', slot: 0, unplug: 'immediate' },
    }),
    attached('d3', { ...vhost, kind: 'vhost-user-blk' }),
    attached('d4', { ...vhost, kind: 'vhost-user-net', mac: '52:54:00:12:34:56' }),
    attached('d5', { ...vhost, kind: 'vhost-user-scsi' }),
    attached('d6', { ...vhost, kind: 'vhost-user-fs', tag: 't' }),
  ];
  const state = withPresentDevices(empty, { managed: [], attachments });
  expect(state.Devices).toMatchObject([
    { Type: 'vfio', DevType: 'c', VFIODevs: [{ ID: 'vfio-d10', Type: 1, BDF: '3b:00.0' }] },
    { Type: 'block', BlockDrive: { Pmem: true, NvdimmID: '3', File: '/srv/pmem', PCIPath: '' } },
    { Type: 'vhost-user-blk-pci', VhostUserDev: { DevID: 'blk-d3', SocketPath: '/run/v.sock', Index: -1 } },
    { Type: 'virtio-net-pci', VhostUserDev: { MacAddress: '52:54:00:12:34:56' } },
    { Type: 'vhost-user-scsi-pci' },
    { Type: 'vhost-user-fs-pci' },
  ]);
  // What was made is what v1 could have written.
  const read = readSandboxState(Buffer.from(printSandboxState(state)), 'f');
  expect(read.Devices).toHaveLength(6);
});

test('a device that is plugged into a bridge of v1 is listed there', () => {
  const place: Place = { transport: 'pci', bus: 'pci-bridge-0', slot: 9, path: ['02', '09'], unplug: 'acpi' };
  const attachments = [{ ...attachmentRecord('d1', 'vm1'), place }];
  const state = withPresentDevices(imported, { managed, attachments });
  expect(state.HypervisorState.Bridges?.[0]?.DeviceAddr).toMatchObject({ 7: 'foreign', 9: 'vmplug-d1-1' });
});

test('a device of v1 that was plugged again is listed at its present slot, under the name that v1 gave it', () => {
  const [first] = managed;
  if (first === undefined) throw new TypeError('there is a first device');
  const place: Place = { transport: 'pci', bus: 'pci-bridge-0', slot: 9, path: ['02', '09'], unplug: 'acpi' };
  const again = { ...attachmentRecord(first.state.ID, 'vm1'), place };
  const state = withPresentDevices(imported, { managed, attachments: [again] });
  expect(state.HypervisorState.Bridges?.[0]?.DeviceAddr).toEqual({
    7: 'foreign',
    9: first.state.BlockDrive?.ID,
  });
});
