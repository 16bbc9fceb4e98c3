import { expect, test } from 'vitest';
import type { VFIODev } from '../../api/device-info.ts';
import { VmplugError } from '../../api/errors.ts';
import { PciPath } from '../../api/pci-path.ts';
import { agentDevice } from './agent-device.ts';
import type { Kata2Vfio } from './vfio-device.ts';

const member = (parts: Partial<VFIODev> = {}): VFIODev => ({
  IsPCIe: true,
  Type: 1,
  ID: 'vfio-a0',
  BDF: '0001:3b:00.0',
  SysfsDev: '',
  VendorID: '',
  DeviceID: '',
  Class: '',
  Bus: 'rp0',
  ...parts,
});
const kata2 = (parts: Partial<Kata2Vfio> = {}): Kata2Vfio => ({
  mode: 'guest-kernel',
  guestPciPath: ({ ID }) => PciPath.parse(ID === 'vfio-a0' ? '05/00' : '06/00'),
  ...parts,
});
const given = (devices: readonly VFIODev[], vfio: 'v1' | Kata2Vfio): unknown => {
  try {
    return agentDevice({ type: 'vfio', devices }, 'virtio-blk', '/dev/vfio/12', { vfio });
  } catch (error) {
    if (error instanceof VmplugError) return { code: error.code, ...error.facts };
    throw error;
  }
};

test("v1's agent is told nothing of VFIO devices", () => {
  expect(given([member()], 'v1')).toBeUndefined();
});

test('Kata 2: each function of the group by its address here and its path in the guest, its domain kept', () => {
  const group = [member(), member({ ID: 'vfio-a1', BDF: '0001:3b:00.1' })];
  const expected = {
    id: '12',
    vm_path: '',
    container_path: '/dev/vfio/12',
    options: ['0001:3b:00.0=05/00', '0001:3b:00.1=06/00'],
  };
  expect(given(group, kata2())).toEqual({ ...expected, type: 'vfio-pci-gk' });
  expect(given(group, kata2({ mode: 'vfio' }))).toEqual({ ...expected, type: 'vfio-pci' });
});

test('Kata 2: AP devices by their queues', () => {
  const ap = member({ ID: 'vfio-ap0', Type: 3, BDF: '' });
  const apQueues = (): string[] => ['00.0001', '00.0002'];
  expect(given([ap], kata2({ apQueues }))).toMatchObject({
    type: 'vfio-ap',
    options: ['00.0001', '00.0002'],
  });
  expect(given([ap], kata2())).toEqual({
    code: 'guest-address-unknown',
    device: 'vfio-ap0',
    missing: 'AP queues',
  });
  expect(given([ap, member()], kata2({ apQueues }))).toMatchObject({ code: 'unsupported' });
});

test('W30: Kata 2: what the guest has at no known place is an error that names it', () => {
  const unknown = { code: 'guest-address-unknown', device: 'vfio-a0', missing: 'PCI path in the guest' };
  expect(given([member()], kata2({ guestPciPath: () => undefined }))).toEqual(unknown);
  expect(given([member()], kata2({ guestPciPath: () => PciPath.nil }))).toEqual(unknown);
  expect(given([], kata2())).toMatchObject({ code: 'device-not-attached' });
});

test('W10: Kata 2: an address without its domain is not filled up with a guess', () => {
  for (const BDF of ['3b:00.0', '']) {
    expect(given([member({ BDF })], kata2())).toEqual({ code: 'unsupported', device: 'vfio-a0' });
  }
});
