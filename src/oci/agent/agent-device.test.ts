import { describe, expect, test } from 'vitest';
import type { DevicePayload } from '../../api/device-info.ts';
import type { BlockDriver } from '../../api/device-type.ts';
import { VmplugError } from '../../api/errors.ts';
import { PciPath } from '../../api/pci-path.ts';
import { drive, vhostUserAttrs } from '../fake-devices.testing.ts';
import { agentDevice, type AgentOptions } from './agent-device.ts';

const path = '/dev/xvda';
const none = PciPath.nil;
const block = (parts: Parameters<typeof drive>[0] = {}): DevicePayload => ({
  type: 'block',
  drive: drive(parts),
});
const refusal = (payload: DevicePayload, driver: BlockDriver, options?: AgentOptions): unknown => {
  try {
    return agentDevice(payload, driver, path, options);
  } catch (error) {
    return error;
  }
};

test.each([
  ['virtio-mmio', { PCIPath: none }, { type: 'mmioblk', id: '/dev/vda', vm_path: '/dev/vda' }],
  ['virtio-blk-ccw', { PCIPath: none, DevNo: '0.0.0005' }, { type: 'blk-ccw', id: '0.0.0005', vm_path: '' }],
  ['virtio-blk', {}, { type: 'blk', id: '02/01', vm_path: '/dev/vda' }],
  ['virtio-scsi', { PCIPath: none, SCSIAddr: '0:3' }, { type: 'scsi', id: '0:3', vm_path: '' }],
  ['nvdimm', { PCIPath: none, NvdimmID: '2' }, { type: 'nvdimm', id: '', vm_path: '/dev/pmem2' }],
] as const)('7.5 agent devices: a disk on %s', (driver, parts, expected) => {
  expect(agentDevice(block(parts), driver, path)).toEqual({
    ...expected,
    container_path: path,
    options: [],
  });
});

test('7.5 agent devices: a vhost-user disk is found by its PCI path', () => {
  const payload: DevicePayload = { type: 'vhost-user-blk-pci', attrs: vhostUserAttrs('02/03') };
  expect(agentDevice(payload, 'virtio-scsi', path)).toEqual({
    type: 'blk',
    id: '02/03',
    vm_path: '',
    container_path: path,
    options: [],
  });
});

test('the agent is told nothing of an nvdimm made from a pmem file, nor of other kinds', () => {
  const attrs = vhostUserAttrs('');
  const others: DevicePayload[] = [
    block({ Pmem: true }),
    { type: 'generic', info: null },
    { type: 'vfio', devices: [] },
    { type: 'vhost-user-scsi-pci', attrs },
    { type: 'virtio-net-pci', attrs },
    { type: 'vhost-user-fs-pci', attrs },
  ];
  for (const payload of others) expect(agentDevice(payload, 'virtio-blk', path)).toBeUndefined();
});

describe('W30, W94: an address that nobody verified is never sent as an empty or a guessed one', () => {
  test.each([
    ['virtio-blk', 'PCIPath'],
    ['virtio-blk-ccw', 'DevNo'],
    ['virtio-scsi', 'SCSIAddr'],
    ['nvdimm', 'NvdimmID'],
  ] as const)('%s without %s', (driver, missing) => {
    expect(refusal(block({ PCIPath: none }), driver)).toMatchObject({
      code: 'guest-address-unknown',
      subject: path,
      reason: `drive-5f0c6a1be8d2470e has no ${missing}, by which the agent would find it`,
      facts: { device: 'drive-5f0c6a1be8d2470e', missing },
    });
  });

  test('virtio-mmio has nothing but its name in the guest, which it must have', () => {
    expect(refusal(block({ VirtPath: '' }), 'virtio-mmio')).toMatchObject({
      code: 'guest-address-unknown',
      facts: { missing: 'VirtPath' },
    });
  });

  test('a vhost-user disk whose PCI path was lost has nothing left, with predicted addresses neither', () => {
    const payload: DevicePayload = { type: 'vhost-user-blk-pci', attrs: vhostUserAttrs('') };
    for (const addresses of ['verified', 'predicted'] as const) {
      expect(refusal(payload, 'virtio-blk', { addresses })).toMatchObject({
        code: 'guest-address-unknown',
        facts: { device: 'blk-5f0c6a1be8d2470e', missing: 'PCIPath' },
      });
    }
  });

  test("v1's guess is sent only when it is asked for", () => {
    const lost = block({ PCIPath: none });
    expect(agentDevice(lost, 'virtio-blk', path, { addresses: 'predicted' })).toMatchObject({
      type: 'blk',
      id: '',
      vm_path: '/dev/vda',
    });
    expect(refusal(lost, 'virtio-blk')).toMatchObject({ hint: expect.stringContaining('/dev/vda') });
    expect(
      refusal(block({ PCIPath: none, VirtPath: '' }), 'virtio-blk', { addresses: 'predicted' }),
    ).toMatchObject({ code: 'guest-address-unknown' });
    expect(refusal(lost, 'virtio-scsi', { addresses: 'predicted' })).toBeInstanceOf(VmplugError);
  });
});

test('a device that is not attached is an error, not left out', () => {
  const unattached: DevicePayload[] = [
    { type: 'block', drive: null },
    { type: 'vhost-user-blk-pci', attrs: null },
  ];
  for (const payload of unattached) {
    expect(refusal(payload, 'virtio-blk')).toMatchObject({ code: 'device-not-attached', subject: path });
  }
});
