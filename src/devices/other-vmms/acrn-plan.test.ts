import { expect, test } from 'vitest';
import type { DeviceDriver } from '../../api/device-type.ts';
import type { HostDevice } from '../../api/host-device.ts';
import { releaseCommands, unplugCommands } from '../../api/plan.ts';
import {
  attachOf,
  disk,
  drive,
  group,
  name,
  pciFunction,
  pmemFile,
  qcow2,
  raw,
  served,
  vmm,
} from '../plan-request.testing.ts';
import { checkDevice, deviceGuestAddress, planDevice } from '../kinds.ts';

const facts = vmm('acrn');
const vm = 'sandbox-7';
const planOf = (slot: number) => planDevice(attachOf(disk(), 'virtio-mmio', [drive(slot, vm)], { facts }));
const checkOf =
  (host: HostDevice, driver: DeviceDriver = 'virtio-mmio') =>
  () =>
    checkDevice({ driver, host, options: {} }, facts);
const unsupported = expect.objectContaining({ code: 'unsupported', hint: expect.stringMatching(/./) });

test('7.5 ACRN: a disk is given to a dummy drive, its slot and file as arguments of their own', () => {
  checkOf(disk())();
  expect(planOf(1)).toEqual({
    vmmId: name,
    steps: [
      {
        summary: 'give the disk to drive 1',
        run: { execute: 'blkrescan', arguments: { vm, slot: 5, file: raw.path } },
        undo: { execute: 'blkrescan', arguments: { vm, slot: 5, file: 'nodisk' } },
        undoIsRequest: true,
      },
    ],
  });
});

test('7.5 ACRN: a shared file system is an error', () => {
  expect(checkOf(served('vhost-user-fs'), 'vhost-user-fs-pci')).toThrow(unsupported);
});

test('7.5 ACRN: an empty path is an error', () => {
  expect(checkOf(disk([{ ...raw, path: '' }]))).toThrow(unsupported);
});

test('7.5 ACRN: index 9 is an error', () => {
  expect(() => planOf(9)).toThrow(expect.objectContaining({ code: 'no-free-place', facts: { slot: 9 } }));
});

test('W22: index 8 is the last dummy, index 0 the image', () => {
  expect(planOf(8).steps[0]?.run.arguments).toMatchObject({ slot: 12 });
  expect(() => planOf(0)).toThrow(expect.objectContaining({ code: 'no-free-place' }));
});

test('7.6 ACRN blkrescan, W21: the rescan is all that the plan does, so nothing hides its failure', () => {
  expect(planOf(4).steps.map(({ run }) => run.execute)).toEqual(['blkrescan']);
});

test('W23: to unplug is to give the dummy its nothing back, before anything is freed', () => {
  expect(unplugCommands(planOf(4))).toEqual([
    { execute: 'blkrescan', arguments: { vm, slot: 8, file: 'nodisk' } },
  ]);
  expect(releaseCommands(planOf(4))).toEqual([]);
});

test('W24: the slot follows from the index alone, in any process', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8].map((index) => planOf(index).steps[0]?.run.arguments?.['slot'])).toEqual([
    5, 6, 7, 8, 9, 10, 11, 12,
  ]);
});

test.each<[string, HostDevice, DeviceDriver]>([
  ['W31: a read-only disk', disk([raw], { readOnly: true }), 'virtio-mmio'],
  ['another format than raw', disk([qcow2('/q')]), 'virtio-mmio'],
  ['another driver', disk(), 'virtio-scsi'],
  ['W33: an nvdimm', pmemFile(), 'nvdimm'],
  ['W33: a group', group(pciFunction('0000:04:00.0')), 'vfio-pci'],
])('refused before anything is done: %s', (_, host, driver) => {
  expect(checkOf(host, driver)).toThrow(unsupported);
});

test("W30: the guest's name of the drive is not predicted", () => {
  expect(deviceGuestAddress(attachOf(disk(), 'virtio-mmio', [drive(1)], { facts }))).toEqual({});
});
