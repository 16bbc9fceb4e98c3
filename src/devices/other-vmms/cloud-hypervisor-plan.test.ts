import { describe, expect, test } from 'vitest';
import type { DiskOptions } from '../../api/attachment.ts';
import type { DeviceDriver } from '../../api/device-type.ts';
import type { HostDevice, HostDisk } from '../../api/host-device.ts';
import type { PciPlace } from '../../api/place.ts';
import { unplugCommands } from '../../api/plan.ts';
import {
  attachOf,
  disk,
  group,
  id,
  name,
  pciFunction,
  pmemFile,
  qcow2,
  raw,
  served,
  vmm,
} from '../plan-request.testing.ts';
import { checkDevice, deviceGuestAddress, planDevice } from '../kinds.ts';

const facts = vmm('clh');
const place = (slot: number, segment = 0): PciPlace => ({
  transport: 'pci',
  bus: `_segment${segment}`,
  slot,
  path: [],
  unplug: 'acpi',
});
const planOf = (host: HostDisk, options: DiskOptions = {}, at = place(4), generation = 1) =>
  planDevice(attachOf(host, 'virtio-blk', [at], { options, facts, generation }));
const bodyOf = (...args: Parameters<typeof planOf>) => planOf(...args).steps[0]?.run.arguments;
const checkOf =
  (driver: DeviceDriver, host: HostDevice, options: DiskOptions = {}) =>
  () =>
    checkDevice({ driver, host, options }, facts);
const unsupported = expect.objectContaining({ code: 'unsupported', hint: expect.stringMatching(/./) });

test('7.5 CLH: a disk is added as virtio-blk; what is false is left out', () => {
  checkOf('virtio-blk', disk())();
  expect(planOf(disk())).toEqual({
    vmmId: name,
    steps: [
      {
        summary: 'add the disk',
        run: {
          execute: 'vm.add-disk',
          arguments: { id: name, path: raw.path, image_type: 'Raw', serial: `vp${id}` },
        },
        undo: { execute: 'vm.remove-device', arguments: { id: name } },
        undoIsRequest: true,
      },
    ],
  });
});

test('7.5 CLH: pmem is an error', () => {
  expect(checkOf('nvdimm', pmemFile())).toThrow(unsupported);
});

test('7.5 CLH: another driver for a disk is an error', () => {
  for (const driver of ['virtio-scsi', 'virtio-mmio', 'virtio-blk-ccw', 'nvdimm'] as const) {
    expect(checkOf(driver, disk())).toThrow(unsupported);
  }
});

test('7.5 CLH: a disk is removed, and so is each function of a group', () => {
  expect(unplugCommands(planOf(disk()))).toEqual([{ execute: 'vm.remove-device', arguments: { id: name } }]);
  const host = group(pciFunction('0001:04:00.0'), pciFunction('0001:04:00.1'));
  const request = attachOf(host, 'vfio-pci', [place(4), place(5, 2)], { facts });
  checkDevice(request, facts);
  expect(planDevice(request)).toEqual({
    vmmId: name,
    steps: [
      {
        summary: 'plug 0001:04:00.0',
        run: {
          execute: 'vm.add-device',
          arguments: { id: name, path: '/sys/devices/pci0000:00/0001:04:00.0' },
        },
        undo: { execute: 'vm.remove-device', arguments: { id: name } },
        undoIsRequest: true,
      },
      {
        summary: 'plug 0001:04:00.1',
        run: {
          execute: 'vm.add-device',
          arguments: { id: `${name}.1`, path: '/sys/devices/pci0000:00/0001:04:00.1', pci_segment: 2 },
        },
        undo: { execute: 'vm.remove-device', arguments: { id: `${name}.1` } },
        undoIsRequest: true,
      },
    ],
    further: [{ vmmId: `${name}.1`, place: place(5, 2) }],
  });
});

test('7.5 CLH: a network card is an error, and so is every other vhost-user device', () => {
  expect(checkOf('virtio-net-pci', served('vhost-user-net'))).toThrow(unsupported);
  expect(checkOf('vhost-user-blk-pci', served('vhost-user-blk'))).toThrow(unsupported);
  expect(checkOf('vhost-user-fs-pci', served('vhost-user-fs'))).toThrow(unsupported);
});

describe('W86: what Cloud Hypervisor decides is not predicted', () => {
  test('no slot goes out, and the PCI address is left to the reply', () => {
    expect(bodyOf(disk(), {}, place(7))).not.toHaveProperty('pci_device_id');
    expect(deviceGuestAddress(attachOf(disk(), 'virtio-blk', [place(7)], { facts }))).toEqual({
      serial: `vp${id}`,
      byId: `/dev/disk/by-id/virtio-vp${id}`,
    });
    expect(
      deviceGuestAddress(attachOf(group(pciFunction('0000:04:00.0')), 'vfio-pci', [place(7)], { facts })),
    ).toEqual({});
  });

  test('a removal is only requested, and an id is never used again', () => {
    expect(planOf(disk()).steps.every(({ undoIsRequest }) => undoIsRequest === true)).toBe(true);
    expect(planOf(disk(), {}, place(4), 2).vmmId).not.toBe(planOf(disk()).vmmId);
  });
});

test('what is true is said: read-only, past the page cache, the format, the chain below', () => {
  const host = disk([qcow2('/top'), raw], { readOnly: true });
  expect(bodyOf(host, { cache: 'none' }, place(4, 3))).toEqual({
    id: name,
    path: '/top',
    readonly: true,
    direct: true,
    backing_files: true,
    image_type: 'Qcow2',
    serial: `vp${id}`,
    pci_segment: 3,
  });
  expect(bodyOf(disk(), { cache: 'writeback' })).not.toHaveProperty('direct');
});

test.each<[string, Partial<HostDisk>, DiskOptions]>([
  ['cache=unsafe', {}, { cache: 'unsafe' }],
  ['aio', {}, { aio: 'threads' }],
  ['discard', {}, { discard: 'unmap' }],
  ['share-rw', { shareRw: true }, {}],
])('what its API cannot say is refused: %s', (_, rest, options) => {
  expect(checkOf('virtio-blk', disk([raw], rest), options)).toThrow(unsupported);
});

test('W33: what cannot be planned is an error of the plan too, never an empty one', () => {
  expect(() => planDevice(attachOf(pmemFile(), 'nvdimm', [place(4)], { facts }))).toThrow(unsupported);
});
