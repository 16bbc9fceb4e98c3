import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeviceDriver } from '../api/device-type.ts';
import type { HostDevice } from '../api/host-device.ts';
import { longestId, ownPrefix } from '../api/names.ts';
import type { Place } from '../api/place.ts';
import {
  apMatrix,
  attachOf,
  ccw,
  disk,
  drive,
  group,
  having,
  id,
  memory,
  pciFunction,
  pmemFile,
  port,
  qcow2,
  qemu,
  scsi,
  served,
  vmm,
} from './plan-request.testing.ts';
import { checkDevice, deviceGuestAddress, deviceNeeds, driverFor, planDevice } from './kinds.ts';

const ap: Place = { transport: 'ap', bus: 'ap', unplug: 'immediate' };
const pair = group(pciFunction('0000:04:00.0'), pciFunction('0000:04:00.1'));

/** Every kind with each driver that QEMU can plug it as. */
const plugged: [DeviceDriver, HostDevice, readonly [Place, ...Place[]], string[]][] = [
  ['virtio-blk', disk([qcow2('/top'), qcow2('/base')]), [port(0)], ['blockdev-add', 'device_add']],
  ['virtio-scsi', disk(), [scsi], ['blockdev-add', 'device_add']],
  ['virtio-blk-ccw', disk(), [ccw], ['blockdev-add', 'device_add']],
  ['nvdimm', pmemFile(), [memory], ['object-add', 'device_add']],
  ['vfio-pci', pair, [port(0), port(1)], ['device_add', 'device_add']],
  ['vfio-ap', group(apMatrix), [ap], ['device_add']],
  ['vhost-user-blk-pci', served('vhost-user-blk'), [port(0)], ['chardev-add', 'device_add']],
  ['vhost-user-scsi-pci', served('vhost-user-scsi'), [port(0)], ['chardev-add', 'device_add']],
  ['virtio-net-pci', served('vhost-user-net'), [port(0)], ['chardev-add', 'netdev_add', 'device_add']],
  ['vhost-user-fs-pci', served('vhost-user-fs'), [port(0)], ['chardev-add', 'device_add']],
];

describe.each(plugged)('%s', (driver, host, places, commands) => {
  test.each(['qemu', 'mock'] as const)(
    '7.5 QEMU kinds: is accepted by %s and planned as its own kind',
    (type) => {
      const facts = { ...qemu, type };
      checkDevice({ driver, host, options: {} }, facts);
      const { steps } = planDevice(attachOf(host, driver, places, { facts }));
      expect(steps.map(({ run }) => run.execute)).toEqual(commands);
    },
  );

  test('needs as many places of the kind as it is planned for', () => {
    const { transport, count, features } = deviceNeeds({ driver, host, options: {} });
    expect(places.map((place) => place.transport)).toEqual(Array.from({ length: count }, () => transport));
    expect(qemu.features).toEqual(expect.arrayContaining([...features]));
  });

  test('7.5 QEMU kinds: is an error where it cannot be plugged, before any step', () => {
    expect(() => checkDevice({ driver, host, options: {} }, vmm('qemu'))).toThrow(
      expect.objectContaining({ code: 'unsupported', hint: expect.stringMatching(/./) }),
    );
  });

  test('hard rule 12: every name that it makes has our prefix and at most 31 bytes', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9a-f]{16}$/), fc.integer({ min: 1, max: 999 }), (id, generation) => {
        const { steps } = planDevice(attachOf(host, driver, places, { id, generation }));
        const names = steps.flatMap((step) => namesIn(step));
        expect(names.length).toBeGreaterThan(0);
        for (const each of names) {
          expect(each.startsWith(`${ownPrefix}${id}-${generation}`)).toBe(true);
          expect(Buffer.byteLength(each)).toBeLessThanOrEqual(longestId);
        }
        // QEMU's rule for ids (util/id.c).
        expect(names.every((each) => /^[A-Za-z][A-Za-z0-9._-]*$/.test(each))).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

/** The values of `id` and `node-name` in what a step sends. */
function namesIn(step: object): string[] {
  return [...JSON.stringify(step).matchAll(/"(?:id|node-name)":"([^"]*)"/g)].map(([, each]) => each ?? '');
}

describe('the driver of a device', () => {
  test.each<[DeviceDriver, HostDevice]>([
    ['virtio-blk', disk()],
    ['nvdimm', pmemFile()],
    ['vfio-pci', pair],
    ['vfio-ap', group(apMatrix)],
    ['vhost-user-blk-pci', served('vhost-user-blk')],
    ['vhost-user-scsi-pci', served('vhost-user-scsi')],
    ['virtio-net-pci', served('vhost-user-net')],
    ['vhost-user-fs-pci', served('vhost-user-fs')],
  ])('%s is the default of its kind, and may be asked for', (driver, host) => {
    expect(driverFor(host)).toBe(driver);
    expect(driverFor(host, driver)).toBe(driver);
  });

  test.each([
    ['virtio-blk', qemu],
    ['virtio-blk', vmm('clh')],
    ['virtio-blk-ccw', { ...qemu, machine: 's390-ccw-virtio-7.2' }],
    ['virtio-mmio', vmm('firecracker')],
    ['virtio-mmio', vmm('acrn')],
  ] as const)('W32: without one a disk is %s, whatever its other options', (driver, facts) => {
    expect(driverFor(disk([qcow2('/q')], { readOnly: true }), undefined, facts)).toBe(driver);
  });

  test.each<[DeviceDriver, HostDevice]>([
    ['vfio-pci', disk()],
    ['virtio-blk', pmemFile()],
    ['vfio-ap', pair],
    ['vfio-pci', group(apMatrix)],
    ['virtio-blk', served('vhost-user-blk')],
    ['vhost-user-blk-pci', served('vhost-user-scsi')],
  ])('%s for a device of another kind is refused', (driver, host) => {
    const refusal = expect.objectContaining({
      code: 'invalid-argument',
      subject: host.source,
      hint: expect.stringContaining(driverFor(host)),
    });
    expect(() => driverFor(host, driver)).toThrow(refusal);
    expect(() => checkDevice({ driver, host, options: {} }, qemu)).toThrow(refusal);
  });

  test('the hint names each driver once', () => {
    expect(() => driverFor(disk(), 'vfio-pci')).toThrow(
      expect.objectContaining({
        hint: 'leave --driver out, or choose virtio-blk or virtio-scsi or virtio-blk-ccw or virtio-mmio or nvdimm',
      }),
    );
  });
});

test.each(['virtio-mmio', 'nvdimm'] as const)('a disk as %s is refused by QEMU with the reason', (driver) => {
  expect(() => checkDevice({ driver, host: disk(), options: {} }, qemu)).toThrow(
    expect.objectContaining({ code: 'unsupported', hint: expect.stringContaining('virtio-blk') }),
  );
});

test('each VMM is spoken to in its own words', () => {
  const facts = having(vmm('firecracker'), 'jailed');
  const firstCommand = (type: typeof facts, driver: DeviceDriver, place: Place) =>
    planDevice(attachOf(disk(), driver, [place], { facts: type })).steps[0]?.run.execute;
  expect(firstCommand(qemu, 'virtio-blk', port(0))).toBe('blockdev-add');
  expect(firstCommand(vmm('clh'), 'virtio-blk', port(0))).toBe('vm.add-disk');
  expect(firstCommand(facts, 'virtio-mmio', drive(0))).toBe('bind-mount');
  expect(firstCommand(vmm('acrn'), 'virtio-mmio', drive(1))).toBe('blkrescan');
  expect(deviceNeeds({ driver: 'virtio-mmio', host: disk(), options: {} }).transport).toBe('slot');
});

test('the guest address is the one of the kind', () => {
  const guestOf = (host: HostDevice, driver: DeviceDriver, place: Place) =>
    deviceGuestAddress(attachOf(host, driver, [place]));
  expect(guestOf(disk(), 'virtio-blk-ccw', ccw)).toMatchObject({ serial: `vp${id}`, ccw: '0.0.00ab' });
  expect(guestOf(pmemFile(), 'nvdimm', memory)).toEqual({});
  expect(guestOf(group(apMatrix), 'vfio-ap', ap)).toEqual({});
  expect(guestOf(served('vhost-user-fs'), 'vhost-user-fs-pci', port(0))).toMatchObject({ tag: 'data' });
});
