import { describe, expect, test } from 'vitest';
import type { DiskOptions } from '../api/attachment.ts';
import type { DeviceDriver } from '../api/device-type.ts';
import type { HostDisk } from '../api/host-device.ts';
import { longestId } from '../api/names.ts';
import type { Place } from '../api/place.ts';
import { releaseCommands, unplugCommands } from '../api/plan.ts';
import { block } from './block.ts';
import {
  attachOf,
  ccw,
  disk,
  id,
  name,
  port,
  qcow2,
  qemu,
  raw,
  scsi,
  without,
} from './plan-request.testing.ts';

const pci = port(0);
const drivers = { pci: 'virtio-blk', scsi: 'virtio-scsi', ccw: 'virtio-blk-ccw' } as const;
const driverOf = ({ transport }: Place): DeviceDriver =>
  transport === 'scsi' || transport === 'ccw' ? drivers[transport] : drivers.pci;

const planOf = (given: HostDisk, options: DiskOptions = {}, place: Place = pci, generation = 1) =>
  block.plan(attachOf(given, driverOf(place), [place], { options, generation }));
const nodeOf = (...args: Parameters<typeof planOf>) => planOf(...args).steps[0]?.run.arguments;
const deviceOf = (...args: Parameters<typeof planOf>) => planOf(...args).steps[1]?.run.arguments;

test('a raw image on PCI: every word that goes out, and what takes it back', () => {
  expect(planOf(disk([raw]))).toEqual({
    vmmId: name,
    steps: [
      {
        summary: 'open the image as a block node',
        run: {
          execute: 'blockdev-add',
          arguments: {
            driver: 'raw',
            'node-name': name,
            'read-only': false,
            file: {
              driver: 'file',
              'node-name': `${name}-f`,
              filename: '/images/a,b.img',
              'read-only': false,
            },
          },
        },
        undo: { execute: 'blockdev-del', arguments: { 'node-name': name } },
      },
      {
        summary: 'plug the device',
        run: {
          execute: 'device_add',
          arguments: {
            driver: 'virtio-blk-pci',
            bus: 'port0',
            addr: '00',
            id: name,
            drive: name,
            serial: `vp${id}`,
            'share-rw': false,
          },
        },
        undo: { execute: 'device_del', arguments: { id: name } },
        undoIsRequest: true,
      },
    ],
  });
});

test('detaching asks for the removal and then releases the node', () => {
  const plan = planOf(disk([raw]));
  expect(unplugCommands(plan)).toEqual([{ execute: 'device_del', arguments: { id: name } }]);
  expect(releaseCommands(plan)).toEqual([{ execute: 'blockdev-del', arguments: { 'node-name': name } }]);
});

test('a SCSI disk has its whole address, as numbers', () => {
  expect(deviceOf(disk([raw]), {}, scsi)).toEqual({
    driver: 'scsi-hd',
    bus: 'scsi0.0',
    channel: 0,
    'scsi-id': 3,
    lun: 4,
    id: name,
    drive: name,
    serial: `vp${id}`,
    'share-rw': false,
  });
});

test('the slot is always given, in hexadecimal', () => {
  expect(
    deviceOf(disk([raw]), {}, { transport: 'pci', bus: 'pci.0', slot: 31, path: ['1f'], unplug: 'acpi' }),
  ).toMatchObject({ addr: '1f' });
});

test('W31: read-only holds for the node and its file; share-rw is said to the device', () => {
  const given = disk([raw], { readOnly: true, shareRw: true });
  expect(nodeOf(given)).toMatchObject({ 'read-only': true, file: { 'read-only': true } });
  expect(deviceOf(given)).toMatchObject({ 'share-rw': true });
});

test('a block node of the host is opened as one', () => {
  const given = disk([{ path: '/dev/sdb', format: 'raw', protocol: 'host_device' }]);
  expect(nodeOf(given)).toMatchObject({ file: { driver: 'host_device', filename: '/dev/sdb' } });
});

describe('options', () => {
  const caches = [undefined, 'none', 'writeback', 'writethrough', 'directsync', 'unsafe'] as const;
  const aios = [undefined, 'threads', 'native', 'io_uring'] as const;
  const discards = [undefined, 'ignore', 'unmap'] as const;
  /** `cache=` of QEMU's manual: direct, no-flush, write-cache of the device. */
  const meaning = {
    none: [true, false, 'on'],
    writeback: [false, false, 'on'],
    writethrough: [false, false, 'off'],
    directsync: [true, false, 'off'],
    unsafe: [false, true, 'on'],
  } as const;
  const all = caches.flatMap((cache) =>
    aios.flatMap((aio) => discards.map((discard) => ({ cache, aio, discard }))),
  );

  test.each(all)('cache $cache, aio $aio, discard $discard', ({ cache, aio, discard }) => {
    const options: DiskOptions = {
      ...(cache === undefined ? {} : { cache }),
      ...(aio === undefined ? {} : { aio }),
      ...(discard === undefined ? {} : { discard }),
    };
    const flags =
      cache === undefined ? {} : { cache: { direct: meaning[cache][0], 'no-flush': meaning[cache][1] } };
    const trim = discard === undefined ? {} : { discard };
    expect(nodeOf(disk([raw]), options)).toEqual({
      driver: 'raw',
      'node-name': name,
      'read-only': false,
      ...flags,
      ...trim,
      file: {
        driver: 'file',
        'node-name': `${name}-f`,
        filename: raw.path,
        'read-only': false,
        ...flags,
        ...trim,
        ...(aio === undefined ? {} : { aio }),
      },
    });
    const { 'write-cache': writeCache } = deviceOf(disk([raw]), options) ?? {};
    expect(writeCache).toBe(cache === undefined ? undefined : meaning[cache][2]);
  });
});

describe('backing chains', () => {
  test('every layer is named, of a given format, read-only; the end is given too', () => {
    const given = disk([qcow2('/top'), qcow2('/mid'), { ...raw, path: '/base' }]);
    expect(nodeOf(given, { discard: 'unmap' })).toEqual({
      driver: 'qcow2',
      'node-name': name,
      'read-only': false,
      discard: 'unmap',
      file: {
        driver: 'file',
        'node-name': `${name}-f`,
        filename: '/top',
        'read-only': false,
        discard: 'unmap',
      },
      backing: {
        driver: 'qcow2',
        'node-name': `${name}-b1`,
        'read-only': true,
        file: { driver: 'file', 'node-name': `${name}-b1f`, filename: '/mid', 'read-only': true },
        backing: {
          driver: 'raw',
          'node-name': `${name}-b2`,
          'read-only': true,
          file: { driver: 'file', 'node-name': `${name}-b2f`, filename: '/base', 'read-only': true },
        },
      },
    });
    expect(nodeOf(disk([qcow2('/alone')]))).toMatchObject({ backing: null });
  });

  test('hard rule 12: names stay unique and within 31 bytes at generation 999 and depth 32', () => {
    const layers = Array.from({ length: 33 }, (_, index) => qcow2(`/layer${index}`));
    const [top = raw, ...below] = layers;
    const text = JSON.stringify(nodeOf(disk([top, ...below]), {}, pci, 999));
    const names = [...text.matchAll(/"node-name":"([^"]*)"/g)].map(([, each]) => each ?? '');
    expect(names).toHaveLength(66);
    expect(new Set(names).size).toBe(66);
    expect(Math.max(...names.map((each) => Buffer.byteLength(each)))).toBeLessThanOrEqual(longestId);
  });
});

test('the same request makes the same plan', () => {
  expect(planOf(disk([raw]), { cache: 'none' })).toEqual(planOf(disk([raw]), { cache: 'none' }));
});

describe('what is refused before anything is done', () => {
  test.each<[string, Parameters<typeof attachOf>[1], HostDisk, DiskOptions, string, string]>([
    ['an nvdimm', 'nvdimm', disk(), {}, 'unsupported', 'pmem source'],
    ['W33: virtio-mmio', 'virtio-mmio', disk(), {}, 'unsupported', 'take no device while the VM runs'],
    ['a driver of something else', 'vfio-pci', disk(), {}, 'unsupported', 'no driver of disks'],
    [
      'aio=native through the page cache',
      'virtio-blk',
      disk(),
      { aio: 'native' },
      'invalid-argument',
      'past the page cache',
    ],
    [
      'pain 51: an aio that this build lacks',
      'virtio-blk',
      disk(),
      { aio: 'io_uring' },
      'unsupported',
      'aio:io_uring',
    ],
  ])('%s', (_, driver, host, options, code, reason) => {
    expect(() => block.check({ driver, host, options }, qemu)).toThrow(
      expect.objectContaining({
        code,
        reason: expect.stringContaining(reason),
        hint: expect.stringMatching(/./),
      }),
    );
  });

  test.each([
    ['a format that this build lacks', 'virtio-blk', 'format:qcow2'],
    ['a model that this build lacks', 'virtio-scsi', 'device:scsi-hd'],
    ['a model of another architecture', 'virtio-blk-ccw', 'device:virtio-blk-ccw'],
    ['a model without serials', 'virtio-blk', 'property:virtio-blk-pci.serial'],
  ] as const)('%s', (_, driver, feature) => {
    const request = { driver, host: disk([qcow2('/q')]), options: {} };
    block.check(request, qemu);
    expect(() => block.check(request, without(qemu, feature))).toThrow(
      expect.objectContaining({ code: 'unsupported', subject: '/q', facts: { feature } }),
    );
  });

  test('and what is not', () => {
    block.check({ driver: 'virtio-blk', host: disk(), options: { aio: 'native', cache: 'none' } }, qemu);
    block.check({ driver: 'virtio-scsi', host: disk(), options: {} }, qemu);
    block.check({ driver: 'virtio-blk-ccw', host: disk(), options: { cache: 'none' } }, qemu);
  });
});

test('needs: the kind of place follows the driver, features are asked for once', () => {
  const needsOf = (driver: DeviceDriver) => block.needs({ driver, host: disk(), options: {} });
  expect(needsOf('virtio-scsi')).toMatchObject({ transport: 'scsi', count: 1 });
  expect(needsOf('virtio-blk-ccw')).toMatchObject({ transport: 'ccw', count: 1 });
  const { transport, features } = block.needs({
    driver: 'virtio-blk',
    host: disk([qcow2('/a'), qcow2('/b'), raw]),
    options: { aio: 'threads' },
  });
  expect(transport).toBe('pci');
  expect(features.filter((each) => each.startsWith('format:'))).toEqual(['format:qcow2', 'format:raw']);
  expect(features).toContain('aio:threads');
});

test('W27: on the channel subsystem the device number goes out as the text that it is', () => {
  expect(deviceOf(disk(), {}, ccw)).toEqual({
    driver: 'virtio-blk-ccw',
    devno: 'fe.0.00ab',
    id: name,
    drive: name,
    serial: `vp${id}`,
    'share-rw': false,
  });
});

test('W30, pain 15: the guest address is the planted serial, never a predicted name', () => {
  const guestOf = (place: Place) =>
    block.guestAddress(attachOf(disk(), driverOf(place), [place], { serial: 'vp1' }));
  expect(guestOf(pci)).toEqual({
    serial: 'vp1',
    byId: '/dev/disk/by-id/virtio-vp1',
    pciPath: '02/00',
  });
  expect(guestOf(scsi)).toEqual({
    serial: 'vp1',
    byId: '/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_vp1',
    scsi: '0:3:4',
  });
  expect(guestOf(ccw)).toEqual({ serial: 'vp1', byId: '/dev/disk/by-id/virtio-vp1', ccw: '0.0.00ab' });
});
