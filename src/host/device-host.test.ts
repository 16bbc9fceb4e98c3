import { join } from 'node:path';
import { expect, it } from 'vitest';
import { defaultHostHooks } from '../api/config.ts';
import { type DeviceInfo, emptyDeviceInfo } from '../api/device-info.ts';
import { SystemDeviceHost } from './device-host.ts';
import { fakeHost } from './host.testing.ts';
import { fakeSysfs } from './vfio/sysfs.testing.ts';

const info: DeviceInfo = { ...emptyDeviceInfo, ContainerPath: '/dev/mem0', DevType: 'c', Major: 1, Minor: 3 };
const noStore = { enabled: false, path: '' };

it("asks this host's sysfs by default", async () => {
  expect(await new SystemDeviceHost().getHostPath(info, noStore)).toBe('/dev/null');
});

it('asks where it is told to', async () => {
  using host = fakeHost();
  host.write('sys/dev/char/1:3/uevent', 'DEVNAME=elsewhere\n');
  host.write('groups/2/devices/0000:00:1c.0/class', '0x010802\n');
  const asked = new SystemDeviceHost({
    hooks: {
      ...defaultHostHooks,
      SysDevPrefix: join(host.paths.sys, 'dev'),
      SysIOMMUPath: join(host.directory, 'groups'),
      SysBusPciDevicesPath: join(host.directory, 'groups/2/devices'),
    },
  });
  expect(await asked.getHostPath(info, noStore)).toBe('/dev/elsewhere');
  expect(await asked.groupMembers('/dev/vfio/2')).toMatchObject([{ Class: '0x010802' }]);
});

it('2.14: a random id is 16 hexadecimal characters, another each time', () => {
  const host = new SystemDeviceHost();
  const ids = Array.from({ length: 100 }, () => host.randomID());
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}$/);
  expect(new Set(ids).size).toBe(100);
});

it('W95: finds the group of a device that v1 saved without it, by its path in sysfs', async () => {
  using host = fakeSysfs();
  host.addFunction('0000:02:00.0', { group: '7', driver: 'vfio-pci' });
  const device = join(host.hooks.SysBusPciDevicesPath, '0000:02:00.0');
  expect(await new SystemDeviceHost({ hooks: host.hooks }).groupPath(device)).toBe('/dev/vfio/7');
  expect(await new SystemDeviceHost().groupPath('/nowhere')).toBeUndefined();
});
