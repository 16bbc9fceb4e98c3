import { describe, expect, test } from 'vitest';
import type { DevicePayload } from '../../api/device-info.ts';
import type { BlockDriver } from '../../api/device-type.ts';
import { PciPath } from '../../api/pci-path.ts';
import { drive, vhostUserAttrs } from '../fake-devices.testing.ts';
import { agentRootfs, agentVolume } from './agent-storage.ts';

const none = PciPath.nil;
const mount = { Destination: '/data', Type: 'ext4', Options: ['rw'] };
const block = (parts: Parameters<typeof drive>[0] = {}): DevicePayload => ({
  type: 'block',
  drive: drive(parts),
});
const thrown = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};

/** Payload, driver of the disk, then the storage's driver and source. */
const disks: [BlockDriver, Parameters<typeof drive>[0], string, string][] = [
  ['virtio-blk-ccw', { PCIPath: none, DevNo: '0.0.0005' }, 'blk-ccw', '0.0.0005'],
  ['virtio-blk', {}, 'blk', '02/01'],
  ['virtio-mmio', { PCIPath: none }, 'mmioblk', '/dev/vda'],
  ['virtio-scsi', { PCIPath: none, SCSIAddr: '0:3' }, 'scsi', '0:3'],
];

describe('7.5 agent volumes', () => {
  test.each(disks)('a disk on %s: type and options are the mount’s', (driver, parts, name, source) => {
    expect(agentVolume(block(parts), driver, mount)).toEqual({
      driver: name,
      driver_options: [],
      source,
      fstype: 'ext4',
      options: ['rw'],
      mount_point: '/data',
    });
  });

  test('virtio-blk without PCIPath -> VirtPath, when predicted addresses are allowed', () => {
    const lost = block({ PCIPath: none });
    expect(agentVolume(lost, 'virtio-blk', mount, { addresses: 'predicted' })).toMatchObject({
      driver: 'blk',
      source: '/dev/vda',
    });
    expect(thrown(() => agentVolume(lost, 'virtio-blk', mount))).toMatchObject({
      code: 'guest-address-unknown',
      subject: '/data',
      facts: { missing: 'PCIPath' },
    });
  });

  test('pmem, whatever the driver: by its node, with dax, of the type that was found', () => {
    const pmem = { Pmem: true, PCIPath: none, NvdimmID: '1', Format: 'xfs' };
    for (const driver of ['virtio-scsi', 'nvdimm', 'virtio-blk'] as const) {
      expect(agentVolume(block(pmem), driver, mount)).toEqual({
        driver: 'nvdimm',
        driver_options: [],
        source: '/dev/pmem1',
        fstype: 'xfs',
        options: ['dax'],
        mount_point: '/data',
      });
    }
    expect(agentVolume(block({ ...pmem, Format: '' }), 'nvdimm', mount).fstype).toBe('ext4');
    expect(thrown(() => agentVolume(block({ ...pmem, NvdimmID: '' }), 'nvdimm', mount))).toMatchObject({
      code: 'guest-address-unknown',
      facts: { missing: 'NvdimmID' },
    });
  });

  test('vhost-user-blk -> fstype/options bind', () => {
    const payload: DevicePayload = { type: 'vhost-user-blk-pci', attrs: vhostUserAttrs('02/03') };
    expect(agentVolume(payload, 'virtio-blk', mount)).toEqual({
      driver: 'blk',
      driver_options: [],
      source: '02/03',
      fstype: 'bind',
      options: ['bind'],
      mount_point: '/data',
    });
  });

  test('what is no disk, or is plugged as an nvdimm without being pmem, is an error', () => {
    expect(thrown(() => agentVolume({ type: 'vfio', devices: [] }, 'virtio-blk', mount))).toMatchObject({
      code: 'unsupported',
      subject: '/data',
    });
    expect(thrown(() => agentVolume(block({ NvdimmID: '1' }), 'nvdimm', mount))).toMatchObject({
      code: 'unsupported',
    });
    expect(thrown(() => agentVolume({ type: 'block', drive: null }, 'virtio-blk', mount))).toMatchObject({
      code: 'device-not-attached',
    });
  });
});

describe('6.12 agent rootfs', () => {
  test.each(disks)('a disk on %s', (driver, parts, name, source) => {
    expect(agentRootfs(block(parts), driver, 'c1', 'ext4')).toEqual({
      driver: name,
      driver_options: [],
      source,
      fstype: 'ext4',
      options: [],
      mount_point: '/run/kata-containers/shared/containers/c1',
    });
  });

  test('xfs is mounted with nouuid', () => {
    expect(agentRootfs(block(), 'virtio-blk', 'c1', 'xfs')).toMatchObject({
      fstype: 'xfs',
      options: ['nouuid'],
    });
  });

  test('there is no nvdimm, pmem or other kind', () => {
    const refused: [DevicePayload, BlockDriver][] = [
      [block({ NvdimmID: '1' }), 'nvdimm'],
      [block({ Pmem: true, NvdimmID: '1' }), 'virtio-blk'],
      [{ type: 'vhost-user-blk-pci', attrs: vhostUserAttrs('02/03') }, 'virtio-blk'],
    ];
    for (const [payload, driver] of refused) {
      expect(thrown(() => agentRootfs(payload, driver, 'c1', 'ext4'))).toMatchObject({
        code: 'unsupported',
        subject: '/run/kata-containers/shared/containers/c1',
      });
    }
  });
});
