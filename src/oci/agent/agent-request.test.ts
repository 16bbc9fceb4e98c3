import { expect, test } from 'vitest';
import { FakeDeviceManager, request } from '../fake-devices.testing.ts';
import { agentRequest, type AgentRequestInput } from './agent-request.ts';
import type { AgentStorage } from './messages.ts';

const storage = (driver: string): AgentStorage => ({
  driver,
  driver_options: [],
  source: driver,
  fstype: driver,
  options: [],
  mount_point: `/${driver}`,
});

async function input(): Promise<AgentRequestInput> {
  const manager = new FakeDeviceManager();
  const at = async (ContainerPath: string, Minor: number): Promise<string> =>
    (await manager.newDevice(request({ ContainerPath, Minor }))).deviceID();
  const device = await at('/dev/a', 1);
  const volume = await at('/data', 2);
  const rootfs = await at('/', 3);
  return {
    containerId: 'c1',
    manager,
    driver: 'virtio-blk',
    devices: [{ ID: device, ContainerPath: '/dev/a', FileMode: 0, UID: 0, GID: 0 }],
    mounts: [
      {
        Source: '/src',
        Destination: '/plain',
        Type: 'bind',
        Options: [],
        HostPath: '',
        ReadOnly: false,
        BlockDeviceID: '',
      },
      {
        Source: '/dev/sdb',
        Destination: '/data',
        Type: 'bind',
        Options: ['rbind'],
        HostPath: '',
        ReadOnly: false,
        BlockDeviceID: volume,
      },
    ],
    rootfs: { BlockDeviceID: rootfs, FsType: 'xfs' },
    ociMounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/data', type: 'bind', source: '/dev/sdb', options: ['rbind'] },
    ],
    ephemeral: [storage('ephemeral')],
    hugepages: [storage('hugepages')],
    local: [storage('local')],
    newID: () => 'uuid',
  };
}

test('6.12 order: rootfs, ephemeral, hugepages, local, volumes; volumes are no devices', async () => {
  const { devices, storages } = agentRequest(await input());
  expect(devices.map(({ container_path }) => container_path)).toEqual(['/dev/a']);
  expect(storages.map(({ mount_point }) => mount_point)).toEqual([
    '/run/kata-containers/shared/containers/c1',
    '/ephemeral',
    '/hugepages',
    '/local',
    '/run/kata-containers/sandbox/storage/uuid-data',
  ]);
});

test('6.12: the mount of a volume comes from where the agent mounts it; the others stay', async () => {
  const given = await input();
  expect(agentRequest(given).ociMounts).toEqual([
    { destination: '/proc', type: 'proc', source: 'proc' },
    {
      destination: '/data',
      type: 'bind',
      source: '/run/kata-containers/sandbox/storage/uuid-data',
      options: ['rbind'],
    },
  ]);
  expect(given.ociMounts[1]?.source).toBe('/dev/sdb');
});

test('W28: a volume that the OCI spec has no mount for is an error that names it', async () => {
  const given = await input();
  expect(() => agentRequest({ ...given, ociMounts: given.ociMounts.slice(0, 1) })).toThrow(
    expect.objectContaining({ code: 'invalid-argument', subject: '/data' }),
  );
});

test('without a rootfs on a disk and without volumes nothing is told of them', async () => {
  const given = await input();
  const rootfs = { BlockDeviceID: '', FsType: '' };
  const { storages } = agentRequest({
    ...given,
    rootfs,
    mounts: [],
    ephemeral: [],
    hugepages: [],
    local: [],
  });
  expect(storages).toEqual([]);
});

test('W09: a volume or rootfs that the manager does not know is an error that names it', async () => {
  const given = await input();
  const unknown = expect.objectContaining({ code: 'device-not-found', subject: 'gone' });
  const mounts = given.mounts.map((mount) => ({ ...mount, BlockDeviceID: 'gone' }));
  expect(() => agentRequest({ ...given, mounts })).toThrow(unknown);
  const rootfs = { BlockDeviceID: 'gone', FsType: 'ext4' };
  expect(() => agentRequest({ ...given, rootfs })).toThrow(unknown);
});
