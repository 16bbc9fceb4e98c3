import { emptyDeviceInfo } from '../api/device-info.ts';
import { expect, test } from 'vitest';
import { hasCode, type VmplugError } from '../api/errors.ts';
import { deviceInfos } from './device-info.ts';
import type { LinuxDevice } from './oci-spec.ts';

function refusal(devices: readonly unknown[]): VmplugError {
  try {
    deviceInfos(devices as readonly LinuxDevice[]);
  } catch (error) {
    if (hasCode(error, 'invalid-argument')) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

test('2.15: every type, with and without what may be left out, in order', () => {
  expect(
    deviceInfos([
      { type: 'b', path: '/dev/sda', major: 8, minor: 1, fileMode: 0o660, uid: 10, gid: 20 },
      { type: 'c', path: '/dev/vfio/12', major: 240, minor: 0 },
      { type: 'u', path: '/dev/raw', major: 1, minor: 2 },
      { type: 'p', path: '/dev/pipe' },
    ]),
  ).toEqual([
    {
      ...emptyDeviceInfo,
      ContainerPath: '/dev/sda',
      DevType: 'b',
      Major: 8,
      Minor: 1,
      FileMode: 0o660,
      UID: 10,
      GID: 20,
    },
    { ...emptyDeviceInfo, ContainerPath: '/dev/vfio/12', DevType: 'c', Major: 240, Minor: 0 },
    { ...emptyDeviceInfo, ContainerPath: '/dev/raw', DevType: 'u', Major: 1, Minor: 2 },
    { ...emptyDeviceInfo, ContainerPath: '/dev/pipe', DevType: 'p', Major: 0, Minor: 0 },
  ]);
  expect(deviceInfos()).toEqual([]);
});

test('2.15: what is not a device is refused by its place in the list and its path', () => {
  const good = { type: 'c', path: '/dev/null', major: 1, minor: 3 };
  expect(refusal([good, { type: 'x', path: '/dev/y' }])).toMatchObject({
    subject: 'linux.devices[1] /dev/y',
    reason: 'its type is "x"',
    facts: { index: 1, path: '/dev/y' },
  });
  expect(refusal([{ type: '', path: '/dev/y' }]).reason).toBe('its type is ""');
  expect(refusal([good, good, { type: 'b', path: '' }])).toMatchObject({
    subject: 'linux.devices[2]',
    reason: 'it has no path',
  });
  expect(refusal([{ type: 'b' }]).reason).toBe('it has no path');
  expect(refusal([{ type: 'b', path: '/dev/a\0b' }]).reason).toContain('NUL');
});

test.each(['major', 'minor', 'fileMode', 'uid', 'gid'])('%s is a whole number from 0', (field) => {
  for (const value of [-1, 1.5, Number.NaN, 2 ** 53, '8']) {
    expect(refusal([{ type: 'b', path: '/dev/a', [field]: value }]).reason).toContain(`its ${field} is`);
  }
});
