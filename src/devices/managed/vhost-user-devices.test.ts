import { describe, expect, test } from 'vitest';
import type { DeviceInfo } from '../../api/device-info.ts';
import { attrsOf, codeOf, infoOf, refusal, TestHost, TestReceiver } from './device.testing.ts';
import { VhostUserBlkDevice } from './vhost-user-blk-device.ts';
import { VhostUserFSDevice } from './vhost-user-fs-device.ts';
import { VhostUserNetDevice } from './vhost-user-net-device.ts';
import { VhostUserSCSIDevice } from './vhost-user-scsi-device.ts';

const id = '5f0c6a1be8d2470e';
const info = infoOf({ ID: id, HostPath: '/run/v.sock', DevType: 'b', Major: 241 });
const virtioBlk = { 'block-driver': 'virtio-blk' };

function blk(given: Partial<DeviceInfo> = {}): VhostUserBlkDevice {
  return new VhostUserBlkDevice({ ...info, ...given });
}

describe('vhost-user-blk', () => {
  test.each([
    ['no options', null, -1],
    ['virtio-scsi', { 'block-driver': 'virtio-scsi' }, -1],
    ['nvdimm', { 'block-driver': 'nvdimm' }, -1],
    ['W32: options without block-driver', { fstype: 'xfs' }, -1],
    ['virtio-blk', virtioBlk, 0],
    ['virtio-blk-ccw', { 'block-driver': 'virtio-blk-ccw' }, 0],
    ['virtio-mmio', { 'block-driver': 'virtio-mmio' }, 0],
  ])('3.5: with %s the index is %3$s', async (_, DriverOptions, Index) => {
    const receiver = new TestReceiver();
    const device = blk({ DriverOptions });
    await device.attach(receiver);
    expect(attrsOf(device)).toMatchObject({
      DevID: `blk-${id}`,
      SocketPath: '/run/v.sock',
      Type: 'vhost-user-blk-pci',
      Index,
    });
    expect(receiver.indexes.size).toBe(Index + 1);
    await device.detach(receiver);
    expect(receiver.indexes.size).toBe(0);
    expect(receiver.calls.filter((call) => call.startsWith('unset')).length).toBe(Index + 1);
  });

  test('7.6, W45: a failed attach gives the index back and leaves no payload', async () => {
    const receiver = new TestReceiver();
    receiver.failures.set('add', refusal());
    const device = blk({ DriverOptions: virtioBlk });
    expect(await codeOf(device.attach(receiver))).toBe('vmm-refused');
    expect(receiver.indexes.size).toBe(0);
    expect(attrsOf(device)).toBe(null);
    expect(device.getAttachCount()).toBe(0n);
  });

  test('a refused detach keeps the index', async () => {
    const receiver = new TestReceiver();
    const device = blk({ DriverOptions: virtioBlk });
    await device.attach(receiver);
    receiver.failures.set('remove', refusal());
    expect(await codeOf(device.detach(receiver))).toBe('vmm-refused');
    expect([...receiver.indexes]).toEqual([0]);
    expect(device.getAttachCount()).toBe(1n);
  });

  test('W15: one for the boot configuration is appended; its detach only counts', async () => {
    const receiver = new TestReceiver();
    const device = blk({ ColdPlug: true, DriverOptions: virtioBlk });
    await device.attach(receiver);
    await device.detach(receiver);
    await device.attach(receiver);
    expect(receiver.calls).toEqual(['index', ...Array<string>(2).fill(`append vhost-user-blk-pci ${id}`)]);
    await device.detach(receiver);
    receiver.failures.set('append', refusal());
    expect(await codeOf(device.attach(receiver))).toBe('vmm-refused');
    expect([...receiver.indexes], 'the VM has it with that index').toEqual([0]);
  });

  test('W34: one that was saved attached, without its payload, is detached', async () => {
    const receiver = new TestReceiver();
    const device = blk({ DriverOptions: virtioBlk });
    device.load({ ...device.save(), AttachCount: 1 });
    await device.detach(receiver);
    expect(receiver.calls).toEqual([`remove vhost-user-blk-pci ${id}`]);
  });
});

describe.each([
  ['vhost-user-scsi-pci', VhostUserSCSIDevice],
  ['virtio-net-pci', VhostUserNetDevice],
  ['vhost-user-fs-pci', VhostUserFSDevice],
] as const)('%s', (type, Kind) => {
  test('7.6 AppendDevice: 3.6: appended under a fresh id on each real attach; a detach only counts', async () => {
    const receiver = new TestReceiver();
    const attrs = { MacAddress: '52:54:00:12:34:56' };
    const device = new Kind({ ...info, ColdPlug: true }, new TestHost(['aaaa', 'bbbb']), attrs);
    expect(device.getDeviceInfo()).toMatchObject({ type, attrs: { Type: type, DevID: '' } });
    await device.attach(receiver);
    await device.attach(receiver);
    expect(attrsOf(device)).toMatchObject({ DevID: 'aaaa', SocketPath: '/run/v.sock', Index: -1 });
    await device.detach(receiver);
    await device.detach(receiver);
    await device.attach(receiver);
    expect(attrsOf(device)).toMatchObject({ DevID: 'bbbb', MacAddress: '52:54:00:12:34:56' });
    expect(receiver.calls).toEqual([`append ${type} ${id}`, `append ${type} ${id}`]);
  });

  test('made directly, without a request, it is appended as in v1; so is one that v1 saved', async () => {
    const receiver = new TestReceiver();
    const direct = new Kind(null, new TestHost(), { SocketPath: '/run/v.sock' });
    const saved = new Kind(info, new TestHost());
    const { HotPlugged, ...byV1 } = saved.save();
    expect(HotPlugged).toBe(true);
    saved.load(byV1);
    for (const device of [direct, saved]) {
      await device.attach(receiver);
      await device.detach(receiver);
    }
    expect(receiver.calls.map((call) => call.split(' ')[0])).toEqual(['append', 'append']);
  });

  test('asked for without ColdPlug it goes into the running VM, and out again', async () => {
    const receiver = new TestReceiver();
    const device = new Kind(info, new TestHost(['aaaa', 'bbbb']));
    await device.attach(receiver);
    expect(attrsOf(device)).toMatchObject({ DevID: 'aaaa' });
    await device.detach(receiver);
    await device.attach(receiver);
    expect(attrsOf(device)).toMatchObject({ DevID: 'bbbb' });
    expect(receiver.calls).toEqual([`add ${type} ${id}`, `remove ${type} ${id}`, `add ${type} ${id}`]);
    const loaded = new Kind(null, new TestHost());
    loaded.load(device.save());
    await loaded.detach(receiver);
    expect(receiver.calls.at(-1)).toBe(`remove ${type} ${id}`);
  });

  test('W45: a refused one has the id that it had', async () => {
    const receiver = new TestReceiver();
    receiver.failures.set('append', refusal());
    const device = new Kind({ ...info, ColdPlug: true }, new TestHost());
    expect(await codeOf(device.attach(receiver))).toBe('vmm-refused');
    expect(attrsOf(device)).toMatchObject({ DevID: '' });
    expect(device.getAttachCount()).toBe(0n);
  });
});
