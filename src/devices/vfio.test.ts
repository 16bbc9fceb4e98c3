import { describe, expect, test } from 'vitest';
import { VFIODeviceErrorType } from '../api/device-info.ts';
import type { HostVfioGroup } from '../api/host-device.ts';
import { longestId } from '../api/names.ts';
import type { ApPlace } from '../api/place.ts';
import { unitsOf, unplugCommands } from '../api/plan.ts';
import {
  apMatrix,
  attachOf,
  group,
  mediated,
  name,
  pciFunction,
  port,
  qemu,
  vmm,
  without,
} from './plan-request.testing.ts';
import { vfio } from './vfio.ts';

const uuid = 'c9f1e8a6-5a3d-11e8-99ce-479cbab002e4';
const ap: ApPlace = { transport: 'ap', bus: 'vfio-ap-bus', unplug: 'immediate' };
const pair = group(pciFunction('0001:04:00.0'), pciFunction('0001:04:00.1'));
const deviceOf = (host: HostVfioGroup) =>
  vfio.plan(attachOf(host, 'vfio-pci', [port(0)])).steps[0]?.run.arguments;

test('a group of two: one device for each function, and what takes it back', () => {
  expect(vfio.plan(attachOf(pair, 'vfio-pci', [port(0), port(1)]))).toEqual({
    vmmId: name,
    steps: [
      {
        summary: 'plug 0001:04:00.0',
        run: {
          execute: 'device_add',
          arguments: {
            driver: 'vfio-pci',
            bus: 'port0',
            addr: '00',
            id: name,
            host: '0001:04:00.0',
            romfile: '',
          },
        },
        undo: { execute: 'device_del', arguments: { id: name } },
        undoIsRequest: true,
      },
      {
        summary: 'plug 0001:04:00.1',
        run: {
          execute: 'device_add',
          arguments: {
            driver: 'vfio-pci',
            bus: 'port1',
            addr: '00',
            id: `${name}.1`,
            host: '0001:04:00.1',
            romfile: '',
          },
        },
        undo: { execute: 'device_del', arguments: { id: `${name}.1` } },
        undoIsRequest: true,
      },
    ],
    further: [{ vmmId: `${name}.1`, place: port(1) }],
  });
});

describe('W07, W44: a group moves whole or not at all', () => {
  const three = group(pciFunction('0000:04:00.0'), pciFunction('0000:04:00.1'), pciFunction('0000:04:00.2'));

  test('as many places are asked for as it has functions', () => {
    expect(vfio.needs({ driver: 'vfio-pci', host: three, options: {} })).toEqual({
      transport: 'pci',
      count: 3,
      features: ['device:vfio-pci'],
    });
  });

  test('every function has its unit, its place and its own way out', () => {
    const places = [port(0), port(1), port(2)] as const;
    const plan = vfio.plan(attachOf(three, 'vfio-pci', places));
    expect(unitsOf({ plan, place: port(0) })).toEqual([
      { vmmId: name, place: port(0) },
      { vmmId: `${name}.1`, place: port(1) },
      { vmmId: `${name}.2`, place: port(2) },
    ]);
    expect(unplugCommands(plan).map((command) => command.arguments?.['id'])).toEqual([
      name,
      `${name}.1`,
      `${name}.2`,
    ]);
  });

  test.each([1, 2, 4])('%i places for three functions make no plan', (count) => {
    const [first, ...others] = Array.from({ length: count }, (_, index) => port(index));
    expect(() => vfio.plan(attachOf(three, 'vfio-pci', [first ?? port(0), ...others]))).toThrow(
      expect.objectContaining({ code: 'internal-error' }),
    );
  });
});

test('a group of one has nothing further', () => {
  const plan = vfio.plan(attachOf(group(pciFunction('0000:3b:00.0')), 'vfio-pci', [port(3)]));
  expect(plan).not.toHaveProperty('further');
});

test('W10: a PCI function goes out with its domain', () => {
  expect(deviceOf(group(pciFunction('0002:02:10.0')))).toMatchObject({ host: '0002:02:10.0' });
});

test('a mediated device goes out by its folder in sysfs', () => {
  expect(deviceOf(group(mediated(uuid)))).toEqual({
    driver: 'vfio-pci',
    bus: 'port0',
    addr: '00',
    id: name,
    sysfsdev: `/sys/devices/virtual/${uuid}`,
    romfile: '',
  });
});

test('crypto adapters have no address and no ROM', () => {
  const request = attachOf(group(apMatrix), 'vfio-ap', [ap]);
  expect(vfio.needs(request)).toEqual({ transport: 'ap', count: 1, features: ['device:vfio-ap'] });
  expect(vfio.plan(request).steps[0]?.run.arguments).toEqual({
    driver: 'vfio-ap',
    id: name,
    sysfsdev: apMatrix.sysfsDev,
  });
  expect(vfio.guestAddress(request)).toEqual({});
});

test('the guest finds it by the place', () => {
  expect(vfio.guestAddress(attachOf(pair, 'vfio-pci', [port(0), port(1)]))).toEqual({ pciPath: '02/00' });
});

test('names stay within 31 bytes for the 256 functions of a bus', () => {
  const [first, ...others] = Array.from({ length: 256 }, (_, index) => pciFunction(`0000:04:00.${index}`));
  const [place, ...places] = Array.from({ length: 256 }, (_, index) => port(index));
  const plan = vfio.plan(
    attachOf(group(first ?? apMatrix, ...others), 'vfio-pci', [place ?? port(0), ...places], {
      generation: 999,
    }),
  );
  const names = unitsOf({ plan, place: port(0) }).map(({ vmmId }) => vmmId);
  expect(new Set(names).size).toBe(256);
  expect(Math.max(...names.map((each) => Buffer.byteLength(each)))).toBeLessThanOrEqual(longestId);
});

describe('what is refused before anything is done', () => {
  const unknown = { ...pciFunction('0210.0'), type: VFIODeviceErrorType } as const;

  test.each([
    ['crypto adapters as PCI', 'vfio-pci', group(pciFunction('0000:04:00.0'), apMatrix), 'vfio-ap'],
    ['a PCI function as crypto adapters', 'vfio-ap', pair, 'PCI function'],
    ['a function of no known kind', 'vfio-pci', group(unknown), 'PCI function'],
    ['W44: one such among others', 'vfio-pci', group(pciFunction('0000:04:00.0'), unknown), 'PCI function'],
  ] as const)('%s', (_, driver, host, hint) => {
    expect(() => vfio.check({ driver, host, options: {} }, qemu)).toThrow(
      expect.objectContaining({ code: 'invalid-argument', hint: expect.stringContaining(hint) }),
    );
  });

  test('a driver of something else, and a build without vfio', () => {
    vfio.check({ driver: 'vfio-pci', host: pair, options: {} }, qemu);
    const unsupported = expect.objectContaining({ code: 'unsupported' });
    expect(() => vfio.check({ driver: 'virtio-blk', host: pair, options: {} }, qemu)).toThrow(unsupported);
    expect(() =>
      vfio.check({ driver: 'vfio-pci', host: pair, options: {} }, without(qemu, 'device:vfio-pci')),
    ).toThrow(unsupported);
    expect(() => vfio.check({ driver: 'vfio-ap', host: group(apMatrix), options: {} }, vmm('qemu'))).toThrow(
      unsupported,
    );
  });

  test('options of disk images', () => {
    expect(() => vfio.check({ driver: 'vfio-pci', host: pair, options: { discard: 'unmap' } }, qemu)).toThrow(
      expect.objectContaining({ code: 'invalid-argument', hint: 'leave --discard out' }),
    );
  });
});
