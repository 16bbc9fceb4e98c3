import { expect, test } from 'vitest';
import { failure } from './fake-devices.testing.ts';
import { bench } from './holdings.testing.ts';
import type { RootfsMount, RootfsProbe } from './rootfs-device.ts';

const path = '/run/c1/rootfs';
const probe = (parts: Partial<RootfsMount> = {}): RootfsProbe => ({
  mountOf: async () =>
    Promise.resolve({
      source: '/dev/mapper/thin-1',
      fsType: 'xfs',
      device: { major: 253, minor: 4 },
      isDeviceMapper: true,
      ...parts,
    }),
});

test('7.5 rootfs plug: the disk is attached, its id and file system are recorded', async () => {
  const { manager, receiver, container } = bench();
  const rootfs = await container.plugRootfs(path, probe());
  expect(rootfs).toEqual({ BlockDeviceID: 'd1', FsType: 'xfs' });
  expect(container.save()).toEqual({ DeviceMaps: [], Rootfs: rootfs });
  expect(manager.getDeviceByID('d1')?.info).toMatchObject({
    HostPath: '/dev/mapper/thin-1',
    ContainerPath: '/run/kata-containers/shared/containers/c1',
    DevType: 'b',
    Major: 253,
    Minor: 4,
  });
  expect(receiver.calls).toEqual(['add d1']);
});

test('6.11: a root file system on another disk, or on none, is not plugged', async () => {
  const { manager, container } = bench();
  const nothing = { BlockDeviceID: '', FsType: '' };
  expect(await container.plugRootfs(path, probe({ isDeviceMapper: false }))).toEqual(nothing);
  expect(await container.plugRootfs(path, { mountOf: async () => Promise.resolve(undefined) })).toEqual(
    nothing,
  );
  expect(manager.counts()).toEqual({});
});

test('7.5 removeDrive: without a disk no receiver is needed; an attached one with xfs is removed', async () => {
  const { manager, receiver, container } = bench();
  await container.stop();
  expect(receiver.calls).toEqual([]);
  await container.plugRootfs(path, probe());
  await container.stop();
  expect(receiver.calls).toEqual(['add d1', 'remove d1']);
  expect(manager.counts()).toEqual({});
  expect(container.save().Rootfs).toEqual({ BlockDeviceID: '', FsType: '' });
});

test('W49: when the attach fails nothing of the disk is left', async () => {
  const { manager, receiver, container } = bench();
  receiver.refused.set('add d1', failure('vmm-refused', 'd1'));
  await expect(container.plugRootfs(path, probe())).rejects.toMatchObject({ code: 'vmm-refused' });
  expect(manager.counts()).toEqual({});
  expect(container.save().Rootfs.BlockDeviceID).toBe('');
});

test('W49: the disk is given back by its id, though no file system is recorded', async () => {
  const { manager, receiver, container } = bench();
  await container.plugRootfs(path, probe({ fsType: '' }));
  await container.stop();
  expect(manager.counts()).toEqual({});

  const again = bench();
  const { BlockDeviceID } = await again.container.plugRootfs(path, probe());
  const saved = bench();
  saved.container.adopt({ DeviceMaps: [], Rootfs: { BlockDeviceID, FsType: '' } });
  expect(saved.container.save().Rootfs).toEqual({ BlockDeviceID, FsType: '' });
  expect(receiver.calls).toEqual(['add d1', 'remove d1']);
});
