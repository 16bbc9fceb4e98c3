import { expect, test } from 'vitest';
import { constrainDevices } from './constrain-devices.ts';

const spec = {
  ociVersion: '1.0.2',
  linux: {
    devices: [
      { type: 'c', path: '/dev/vfio/1', major: 242, minor: 0 },
      { type: 'c', path: '/dev/null', major: 1, minor: 3 },
      { type: 'c', path: '/dev/vfio/2', major: 242, minor: 1 },
      { type: 'b', path: '/dev/vfio/disk', major: 8, minor: 0 },
      { type: 'c', path: '/dev/vfiox', major: 9, minor: 0 },
    ],
    resources: { devices: [{ allow: false, access: 'rwm' }], memory: { limit: 5 } },
    namespaces: [{ type: 'pid' }],
  },
};

test('7.5 spec constraint: VFIO nodes leave the device list, resource devices are cleared', () => {
  const given = structuredClone(spec);
  const constrained = constrainDevices(given);
  expect(constrained.linux.devices.map(({ path }) => path)).toEqual([
    '/dev/null',
    '/dev/vfio/disk',
    '/dev/vfiox',
  ]);
  expect(constrained.linux.resources).toEqual({ devices: [], memory: { limit: 5 } });
  expect(constrained.linux.namespaces).toEqual([{ type: 'pid' }]);
  expect(constrained.ociVersion).toBe('1.0.2');
  expect(given).toEqual(spec);
});

test('VFIO nodes stay where the agent makes its own of them', () => {
  const constrained = constrainDevices(spec, { keepVfio: true });
  expect(constrained.linux.devices).toEqual(spec.linux.devices);
  expect(constrained.linux.resources.devices).toEqual([]);
});

test('what a spec does not have is not added', () => {
  expect(constrainDevices({ mounts: [] })).toEqual({ mounts: [] });
  expect(constrainDevices({ linux: {} })).toEqual({ linux: {} });
});
