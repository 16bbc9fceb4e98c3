import { describe, expect, test } from 'vitest';
import { featuresOf, propertyFeatures } from './features.ts';
import { findPciDevice, isEnumerated, pciAddress } from './pci-tree.ts';
import { hasQuirk } from './quirks.ts';
import type { PciDevice } from './replies.ts';
import { slotOf } from './qom-bus.ts';
import { compareVersions } from './version.ts';

describe('the tree of query-pci', () => {
  const disk: PciDevice = {
    bus: 1,
    slot: 0,
    function: 0,
    qdev_id: 'd0',
    regions: [{ bar: 1, size: 4096, address: 4_261_412_864 }],
  };
  const port: PciDevice = {
    ...disk,
    bus: 0,
    slot: 2,
    qdev_id: 'p0',
    pci_bridge: { bus: { secondary: 1 }, devices: [disk] },
  };
  const empty: PciDevice = { ...disk, bus: 0, slot: 3, qdev_id: '', pci_bridge: { bus: { secondary: 2 } } };
  const roots = [{ devices: [empty, port] }];

  test('devices are found behind bridges, and none by an empty id', () => {
    expect(findPciDevice(roots, 'd0')).toBe(disk);
    expect(findPciDevice(roots, 'p0')).toBe(port);
    expect(findPciDevice(roots, 'zz')).toBeUndefined();
    expect(findPciDevice(roots, '')).toBeUndefined();
  });

  const at = (...addresses: (number | bigint)[]): PciDevice => ({
    ...disk,
    regions: addresses.map((address, bar) => ({ bar, size: 4096, address })),
  });
  test.each([
    ['assigned', at(4_261_412_864, 0xfe00_0000_0000n), true],
    ['-1, signed', at(4_261_412_864, -1), false],
    ['-1, unsigned in 64 bits', at(18_446_744_073_709_551_615n), false],
    ['-1, unsigned in 32 bits', at(0xffff_ffff), false],
    ['without regions', at(), false],
    [
      'but for the I/O BAR and the ROM',
      {
        ...disk,
        regions: [
          { bar: 0, type: 'memory', size: 4096, address: 4_261_412_864 },
          { bar: 2, type: 'io', size: 32, address: -1 },
          { bar: 6, type: 'memory', size: 65_536, address: -1 },
        ],
      },
      true,
    ],
    [
      'with an I/O BAR alone',
      { ...disk, regions: [{ bar: 0, type: 'io', size: 32, address: 49_152 }] },
      true,
    ],
  ])('%s', (_, device, enumerated) => expect(isEnumerated(device)).toBe(enumerated));

  test('addresses as lspci writes them', () => {
    expect(pciAddress({ ...disk, bus: 255, slot: 31, function: 7 })).toBe('0000:ff:1f.7');
    expect(pciAddress(disk)).toBe('0000:01:00.0');
  });
});

test('slots of a devfn', () => {
  expect([0, 8, 0x29, 0xff].map(slotOf)).toEqual(['00', '01', '05.1', '1f.7']);
});

test('versions are compared by number', () => {
  expect(compareVersions('7.2.22', '7.2.3')).toBeGreaterThan(0);
  expect(compareVersions('10.0.0', '8.1.0')).toBeGreaterThan(0);
  expect(compareVersions('7.2', '7.2.0')).toBe(0);
});

test.each([
  ['6.0.1', false],
  ['6.1.0', true],
  ['7.2.21', true],
  ['7.2.22', false],
  ['8.0.5', true],
  ['8.1.0', false],
  ['10.0.2', false],
])('pain 19: an early ACPI unplug blocks in %s: %s', (version, has) => {
  expect(hasQuirk(version, 'early-acpi-unplug-blocks')).toBe(has);
});

test.each([
  ['7.2.22', true],
  ['8.1.0', true],
  ['10.0.0', false],
])('vhost-user NICs without KVM have no MSI-X in %s: %s', (version, has) => {
  expect(hasQuirk(version, 'vhost-user-net-without-msix')).toBe(has);
});

test('properties that are wanted and there', () => {
  expect(propertyFeatures('vhost-user-fs-pci', ['tag', 'cache-size'])).toEqual([
    'property:vhost-user-fs-pci.cache-size',
  ]);
  expect(propertyFeatures('vhost-user-fs-pci', ['tag'])).toEqual([]);
  expect(propertyFeatures('virtio-blk-ccw', ['devno', 'serial', 'share-rw'])).toEqual([
    'property:virtio-blk-ccw.share-rw',
    'property:virtio-blk-ccw.serial',
  ]);
});

test('pain 51: features are read off the schema and the device types, by members of masked enumerations', () => {
  const schema = [
    { name: 'x-query-virtio-status', 'meta-type': 'command', 'arg-type': '1' },
    { name: 'blockdev-add', 'meta-type': 'command' },
    { name: 'DEVICE_DELETED', 'meta-type': 'event' },
    { name: '47', 'meta-type': 'enum', values: ['threads', 'native'] },
    { name: '48', 'meta-type': 'enum', values: ['raw', 'qcow2', 'host_device', 'file'] },
    { name: '49', 'meta-type': 'enum', values: ['threads', 'other'] },
  ];
  expect(featuresOf(schema, ['virtio-blk-pci', 'e1000', 'nvdimm', 'vfio-ap'])).toEqual([
    'command:x-query-virtio-status',
    'command:blockdev-add',
    'event:DEVICE_DELETED',
    'aio:threads',
    'aio:native',
    'format:raw',
    'format:qcow2',
    'device:virtio-blk-pci',
    'device:nvdimm',
    'device:vfio-ap',
  ]);
  expect(featuresOf([], [])).toEqual([]);
});
