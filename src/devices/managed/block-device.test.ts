import { describe, expect, test } from 'vitest';
import type { DeviceInfo } from '../../api/device-info.ts';
import { BlockDevice } from './block-device.ts';
import { codeOf, driveOf, infoOf, refusal, TestReceiver } from './device.testing.ts';

const id = '5f0c6a1be8d2470e';

function disk(given: Partial<DeviceInfo> = {}): BlockDevice {
  return new BlockDevice(
    infoOf({ ID: id, HostPath: '/dev/dm-4', DevType: 'b', Major: 253, Minor: 4, ...given }),
  );
}

test('3.3: the drive, as v1 makes it', async () => {
  const device = disk({ ReadOnly: true, DriverOptions: { 'block-driver': 'virtio-blk' } });
  expect(device.getDeviceInfo()).toEqual({ type: 'block', drive: null });
  await device.attach(new TestReceiver());
  expect(driveOf(device)).toMatchObject({
    File: '/dev/dm-4',
    Format: 'raw',
    ID: `drive-${id}`,
    Index: 0,
    VirtPath: '/dev/vda',
    SCSIAddr: '',
    ReadOnly: true,
    Pmem: false,
  });
});

describe('7.6 addressing', () => {
  test.each([
    ['no options', null, '1:2', ''],
    ['virtio-scsi', { 'block-driver': 'virtio-scsi' }, '1:2', ''],
    ['W17, W32: options without block-driver', { fstype: 'xfs', blockDriver: 'virtio-blk' }, '1:2', ''],
    ['virtio-blk', { 'block-driver': 'virtio-blk' }, '', '/dev/vdjz'],
    ['virtio-blk-ccw', { 'block-driver': 'virtio-blk-ccw' }, '', '/dev/vdjz'],
    ['virtio-mmio', { 'block-driver': 'virtio-mmio' }, '', '/dev/vdjz'],
    ['nvdimm', { 'block-driver': 'nvdimm' }, '', ''],
  ])('%s', async (_, DriverOptions, SCSIAddr, VirtPath) => {
    const receiver = new TestReceiver();
    for (let index = 0; index < 258; index += 1) receiver.indexes.add(index);
    receiver.offset = 27;
    const device = disk({ DriverOptions });
    await device.attach(receiver);
    expect(driveOf(device)).toMatchObject({ Index: 258, SCSIAddr, VirtPath });
  });

  test('pmem takes an index and no address; its format is that of the file system in it', async () => {
    const device = disk({ Pmem: true, DriverOptions: { 'block-driver': 'virtio-blk', fstype: 'ext4' } });
    await device.attach(new TestReceiver());
    expect(driveOf(device)).toMatchObject({
      Index: 0,
      SCSIAddr: '',
      VirtPath: '',
      Format: 'ext4',
      Pmem: true,
    });
  });

  test('7.6 offset arithmetic, W30: the offset is added to the name that is predicted', async () => {
    const receiver = new TestReceiver();
    receiver.offset = 1;
    const device = disk({ DriverOptions: { 'block-driver': 'virtio-mmio' } });
    await device.attach(receiver);
    expect(driveOf(device)).toMatchObject({ Index: 0, VirtPath: '/dev/vdb' });
  });
});

describe('7.6 rollback', () => {
  test('W45: a failed attach gives the index back and leaves the payload as it was', async () => {
    const receiver = new TestReceiver();
    receiver.failures.set('add', refusal());
    const device = disk();
    expect(await codeOf(device.attach(receiver))).toBe('vmm-refused');
    expect([...receiver.indexes]).toEqual([]);
    expect(device.getDeviceInfo()).toEqual({ type: 'block', drive: null });
    await device.attach(receiver);
    const drive = driveOf(device);
    await device.detach(receiver);
    receiver.failures.set('add', refusal());
    await codeOf(device.attach(receiver));
    expect(driveOf(device)).toBe(drive);
  });

  test('no index: nothing is plugged and nothing is given back', async () => {
    const receiver = new TestReceiver();
    receiver.failures.set('index', refusal('too-many-devices'));
    const device = disk();
    expect(await codeOf(device.attach(receiver))).toBe('too-many-devices');
    expect(receiver.calls).toEqual(['index']);
    expect(device.getAttachCount()).toBe(0n);
  });

  test('an index that no SCSI address is for is given back', async () => {
    const receiver = new TestReceiver();
    for (let index = 0; index < 65536; index += 1) receiver.indexes.add(index);
    const device = disk();
    expect(await codeOf(device.attach(receiver))).toBe('invalid-argument');
    expect(receiver.indexes.has(65536)).toBe(false);
  });

  test('a refused detach keeps the index', async () => {
    const receiver = new TestReceiver();
    const device = disk();
    await device.attach(receiver);
    receiver.failures.set('remove', refusal());
    expect(await codeOf(device.detach(receiver))).toBe('vmm-refused');
    expect([...receiver.indexes]).toEqual([0]);
    await device.detach(receiver);
    expect([...receiver.indexes]).toEqual([]);
  });

  test('an index that cannot be given back fails nothing', async () => {
    const receiver = new TestReceiver();
    const device = disk();
    await device.attach(receiver);
    receiver.failures.set('unset', new Error('no'));
    await device.detach(receiver);
    expect(device.getAttachCount()).toBe(0n);
  });
});

test('W34: a device that was saved attached, without its drive, is detached', async () => {
  const receiver = new TestReceiver();
  const device = disk();
  device.load({ ...device.save(), AttachCount: 1 });
  await device.detach(receiver);
  expect(receiver.calls).toEqual([`remove block ${id}`]);
});

describe('W15: a disk for the boot configuration', () => {
  test('is appended, not hot-plugged, and its detach only counts', async () => {
    const receiver = new TestReceiver();
    const device = disk({ ColdPlug: true });
    await device.attach(receiver);
    await device.detach(receiver);
    expect(receiver.calls).toEqual(['index', `append block ${id}`]);
    expect(device.getAttachCount()).toBe(0n);
  });

  test('keeps its index while the VM has it, and is attached again with it', async () => {
    const receiver = new TestReceiver();
    const device = disk({ ColdPlug: true });
    await device.attach(receiver);
    await device.detach(receiver);
    await device.attach(receiver);
    expect([...receiver.indexes]).toEqual([0]);
    await device.detach(receiver);
    receiver.failures.set('append', refusal());
    await codeOf(device.attach(receiver));
    expect([...receiver.indexes]).toEqual([0]);
  });

  test('that is refused gives its index back', async () => {
    const receiver = new TestReceiver();
    receiver.failures.set('append', refusal());
    const device = disk({ ColdPlug: true });
    expect(await codeOf(device.attach(receiver))).toBe('vmm-refused');
    expect([...receiver.indexes]).toEqual([]);
    expect(device.getAttachCount()).toBe(0n);
  });
});
