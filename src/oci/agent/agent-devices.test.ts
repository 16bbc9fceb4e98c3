import { expect, test } from 'vitest';
import { FakeDeviceManager, request } from '../fake-devices.testing.ts';
import { agentDevices } from './agent-devices.ts';

async function deviceAt(manager: FakeDeviceManager, path: string, minor: number, type: 'b' | 'c' = 'b') {
  const info = request({ ContainerPath: path, DevType: type, Minor: minor });
  const ID = (await manager.newDevice(info)).deviceID();
  return { ID, ContainerPath: path, FileMode: 0, UID: 0, GID: 0 };
}

test('7.5 agent devices: of no devices nothing is told', () => {
  expect(agentDevices([], new FakeDeviceManager(), 'virtio-blk')).toEqual([]);
});

test('W08: a VFIO or generic device after a disk does not repeat the disk', async () => {
  const manager = new FakeDeviceManager();
  const devices = [
    await deviceAt(manager, '/dev/a', 1),
    await deviceAt(manager, '/dev/vfio/7', 2, 'c'),
    await deviceAt(manager, '/dev/null', 3, 'c'),
    await deviceAt(manager, '/dev/b', 4),
  ];
  const told = agentDevices(devices, manager, 'virtio-blk');
  expect(told.map(({ container_path }) => container_path)).toEqual(['/dev/a', '/dev/b']);
});

test('W09: an unknown id is an error that names it, not an empty list', async () => {
  const manager = new FakeDeviceManager();
  const known = await deviceAt(manager, '/dev/a', 1);
  const devices = [known, { ...known, ID: 'gone', ContainerPath: '/dev/b' }];
  expect(() => agentDevices(devices, manager, 'virtio-blk')).toThrow(
    expect.objectContaining({ code: 'device-not-found', subject: 'gone' }),
  );
});
