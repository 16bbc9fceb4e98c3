import { describe, expect, test } from 'vitest';
import type { DeviceDriver } from '../../api/device-type.ts';
import type { HostDevice } from '../../api/host-device.ts';
import { releaseCommands, unplugCommands } from '../../api/plan.ts';
import {
  attachOf,
  disk,
  drive,
  group,
  having,
  name,
  pciFunction,
  pmemFile,
  port,
  qcow2,
  raw,
  served,
  vmm,
} from '../plan-request.testing.ts';
import { checkDevice, deviceGuestAddress, planDevice } from '../kinds.ts';

const free = vmm('firecracker');
const jailed = having(free, 'jailed');
const planOf = (slot: number, facts = jailed) =>
  planDevice(attachOf(disk(), 'virtio-mmio', [drive(slot)], { facts }));
const checkOf = (host: HostDevice, driver: DeviceDriver) => () =>
  checkDevice({ driver, host, options: {} }, free);
const unsupported = expect.objectContaining({ code: 'unsupported', hint: expect.stringMatching(/./) });

test('7.6 Firecracker PATCH: a disk in a jail: every word that goes out, and what takes it back', () => {
  expect(planOf(3)).toEqual({
    vmmId: name,
    steps: [
      {
        summary: 'mount the disk into the jail',
        run: {
          execute: 'bind-mount',
          arguments: { source: raw.path, target: `/run/jail/root/${name}` },
        },
        undo: { execute: 'unmount', arguments: { target: `/run/jail/root/${name}` } },
      },
      {
        summary: 'give the disk to drive_3',
        run: {
          execute: 'PATCH /drives/drive_3',
          arguments: { drive_id: 'drive_3', path_on_host: `/${name}` },
        },
        undo: {
          execute: 'PATCH /drives/drive_3',
          arguments: { drive_id: 'drive_3', path_on_host: '/drive_3' },
        },
        undoIsRequest: true,
      },
    ],
  });
});

test('without a jail the drive is given the disk itself, and its placeholder by the path of the host', () => {
  expect(planOf(0, free).steps).toEqual([
    {
      summary: 'give the disk to drive_0',
      run: { execute: 'PATCH /drives/drive_0', arguments: { drive_id: 'drive_0', path_on_host: raw.path } },
      undo: {
        execute: 'PATCH /drives/drive_0',
        arguments: { drive_id: 'drive_0', path_on_host: '/run/jail/root/drive_0' },
      },
      undoIsRequest: true,
    },
  ]);
});

test('W18: in a jail the detach names the placeholder as the VMM sees it', () => {
  expect(unplugCommands(planOf(5))).toEqual([
    { execute: 'PATCH /drives/drive_5', arguments: { drive_id: 'drive_5', path_on_host: '/drive_5' } },
  ]);
});

test('W53: the mount goes only after the drive has its placeholder back', () => {
  const plan = planOf(5);
  expect(releaseCommands(plan)).toEqual([
    { execute: 'unmount', arguments: { target: `/run/jail/root/${name}` } },
  ]);
  // Over the placeholder itself, the PATCH back would open the disk again.
  expect(plan.steps[0]?.run.arguments?.['target']).not.toBe('/run/jail/root/drive_5');
});

describe('W20: the pool has 8 drives', () => {
  test('the last one is valid', () => {
    expect(planOf(7).steps[1]?.run.execute).toBe('PATCH /drives/drive_7');
  });

  test.each([-1, 8, 65_534, 0.5])('drive %d is none', (slot) => {
    expect(() => planOf(slot)).toThrow(expect.objectContaining({ code: 'no-free-place', facts: { slot } }));
  });
});

describe('what is refused before anything is done', () => {
  test('W31: read-only, because the drives were made writable', () => {
    checkOf(disk(), 'virtio-mmio')();
    expect(checkOf(disk([raw], { readOnly: true }), 'virtio-mmio')).toThrow(unsupported);
  });

  test('another format than raw, and another driver', () => {
    expect(checkOf(disk([qcow2('/q')]), 'virtio-mmio')).toThrow(unsupported);
    expect(checkOf(disk(), 'virtio-blk')).toThrow(unsupported);
  });

  test('options of a drive that cannot change', () => {
    expect(() =>
      checkDevice({ driver: 'virtio-mmio', host: disk(), options: { cache: 'none' } }, free),
    ).toThrow(unsupported);
  });

  test.each<[DeviceDriver, HostDevice]>([
    ['nvdimm', pmemFile()],
    ['vfio-pci', group(pciFunction('0000:04:00.0'))],
    ['vhost-user-blk-pci', served('vhost-user-blk')],
  ])('W33: %s', (driver, host) => {
    expect(checkOf(host, driver)).toThrow(unsupported);
    expect(() => planDevice(attachOf(host, driver, [drive(0)], { facts: free }))).toThrow(unsupported);
  });

  test('a place that is no drive', () => {
    expect(() => planDevice(attachOf(disk(), 'virtio-mmio', [port(0)], { facts: free }))).toThrow(
      expect.objectContaining({ code: 'internal-error' }),
    );
  });
});

test("W30: the guest's name of the drive is not predicted", () => {
  expect(deviceGuestAddress(attachOf(disk(), 'virtio-mmio', [drive(0)], { facts: free }))).toEqual({});
});
