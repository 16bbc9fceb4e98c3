import { expect, test } from 'vitest';
import { addDevice } from './add-device.ts';
import { sharedMounts } from './block-volumes.ts';
import { failure, request } from './fake-devices.testing.ts';
import { bench, bindMount, FakeVolumeProbe, noLargeBars } from './holdings.testing.ts';

const node = { major: 8, minor: 16 };

test('6.11: a bind mount of a block node is a volume on a disk, and attached as one', async () => {
  const { manager, receiver, container } = bench();
  const probe = new FakeVolumeProbe({ '/dev/sdb': { node } });
  const mount = bindMount({ Source: '/dev/sdb', ReadOnly: true });
  expect(await container.createVolumes([mount], probe)).toEqual([{ ...mount, BlockDeviceID: 'd1' }]);
  expect(manager.getDeviceByID('d1')?.info).toMatchObject({
    HostPath: '/dev/sdb',
    ContainerPath: '/data',
    DevType: 'b',
    Major: 8,
    Minor: 16,
    ReadOnly: true,
  });
  expect(container.devices).toEqual([]);
  expect(container.save().DeviceMaps).toMatchObject([{ ID: 'd1', ContainerPath: '/data' }]);
  await container.attachVolumes();
  await container.stop();
  expect(receiver.calls).toEqual(['add d1', 'remove d1']);
  expect(manager.counts()).toEqual({});
});

test('6.11: mounts that are no bind mounts, or of /proc and /sys, are not looked at', async () => {
  const { container } = bench();
  const probe = new FakeVolumeProbe({ '/processes': {} });
  const mounts = [
    ...['/proc', '/sys', '/proc/1/ns', '/sys/block', '/proc/', '/dev/../sys/x'].map((Source) =>
      bindMount({ Source }),
    ),
    bindMount({ Source: 'tmpfs', Type: 'tmpfs' }),
  ];
  expect(await container.createVolumes([...mounts, bindMount({ Source: '/processes' })], probe)).toEqual([
    ...mounts,
    bindMount({ Source: '/processes' }),
  ]);
  expect(probe.asked).toEqual(['stat /processes']);
  expect(sharedMounts(mounts)).toEqual([]);
});

test('W113: a plain bind mount is not probed for pmem, unless it lies on a loop device', async () => {
  const { manager, container } = bench();
  const probe = new FakeVolumeProbe({ '/plain': {}, '/loop': { on: 7 }, '/pmem': { on: 7 } });
  const mounts = [
    bindMount({ Source: '/plain' }),
    bindMount({ Source: '/loop' }),
    bindMount({ Source: '/pmem', ReadOnly: true }),
  ];
  const held = await container.createVolumes(mounts, probe);
  expect(probe.asked).toEqual(['stat /plain', 'stat /loop', 'pmem /loop', 'stat /pmem', 'pmem /pmem']);
  expect(held.map(({ BlockDeviceID }) => BlockDeviceID)).toEqual(['', '', 'd1']);
  expect(manager.getDeviceByID('d1')?.info).toMatchObject({ Pmem: true, ReadOnly: true });
  expect(sharedMounts(held).map(({ Source }) => Source)).toEqual(['/plain', '/loop']);
});

test('W113: a source that vanished is named with its destination, and earlier references are given back', async () => {
  const { manager, container } = bench();
  const probe = new FakeVolumeProbe({ '/dev/sdb': { node } });
  const mounts = [bindMount({ Source: '/dev/sdb' }), bindMount({ Source: '/gone', Destination: '/there' })];
  await expect(container.createVolumes(mounts, probe)).rejects.toMatchObject({
    code: 'source-not-found',
    subject: '/gone',
    reason: 'the source of the mount at /there does not exist',
  });
  expect(manager.counts()).toEqual({});
});

test('a source that cannot be looked at is another error', async () => {
  const { container } = bench();
  const probe = new FakeVolumeProbe({});
  const denied = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
  probe.stat = async () => Promise.reject(denied);
  await expect(container.createVolumes([bindMount()], probe)).rejects.toMatchObject({
    code: 'source-unsuitable',
    subject: '/src',
    cause: denied,
  });
});

test('6.11: a disk that the manager refuses is no volume, and the container goes on', async () => {
  const { manager, container } = bench();
  manager.refused.set('/data', failure('device-conflict', '/data'));
  const probe = new FakeVolumeProbe({ '/dev/sdb': { node } });
  const mount = bindMount({ Source: '/dev/sdb' });
  expect(await container.createVolumes([mount], probe)).toEqual([mount]);
  expect(manager.counts()).toEqual({});
});

test('7.5 AddDevice then mount attach: the same disk again through mounts, and nothing is left to share', async () => {
  const { manager, receiver, container } = bench();
  const device = await addDevice(manager, receiver, request());
  const mounts = [bindMount({ Source: '/dev/sda', BlockDeviceID: device.deviceID() })];
  const held = await container.createVolumes(mounts, new FakeVolumeProbe({}));
  await container.attachVolumes();
  expect(manager.counts()).toEqual({ d1: [2n, 2n] });
  expect(receiver.calls).toEqual(['add d1']);
  expect(sharedMounts(held)).toEqual([]);
  await container.stop();
  expect(manager.counts()).toEqual({ d1: [1n, 1n] });
});

test('a mount with the id of a disk that is not known is an error that names it', async () => {
  const { container } = bench();
  const mounts = [bindMount({ BlockDeviceID: 'gone' })];
  await expect(container.createVolumes(mounts, new FakeVolumeProbe({}))).rejects.toMatchObject({
    code: 'device-not-found',
    subject: 'gone',
  });
});

test('W51: a volume that fails gives back the volumes and devices before it, references too', async () => {
  const { manager, receiver, container } = bench();
  const probe = new FakeVolumeProbe({ '/dev/sdb': { node }, '/dev/sdc': { node: { major: 8, minor: 32 } } });
  await container.createVolumes(
    [bindMount({ Source: '/dev/sdb' }), bindMount({ Source: '/dev/sdc', Destination: '/more' })],
    probe,
  );
  await container.createDevices([request()]);
  await container.attachDevices(noLargeBars);
  receiver.refused.set('add d2', failure('vmm-refused', 'd2'));
  await expect(container.attachVolumes()).rejects.toMatchObject({ code: 'vmm-refused' });
  expect(receiver.calls).toEqual(['add d3', 'add d1', 'add d2', 'remove d1', 'remove d3']);
  expect(manager.counts()).toEqual({});
});

test('6.1: a device whose attach fails is not kept by AddDevice', async () => {
  const { manager, receiver } = bench();
  const refusal = failure('vmm-refused', 'd1');
  receiver.refused.set('add d1', refusal);
  await expect(addDevice(manager, receiver, request())).rejects.toBe(refusal);
  expect(manager.counts()).toEqual({});
});
