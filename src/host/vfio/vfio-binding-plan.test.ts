import { expect, it } from 'vitest';
import type { BindingState } from './pci-driver.ts';
import { bindingWrites, givenToVfio, planMove } from './vfio-binding-plan.ts';

const address = '10000:01:00.0';
const override = `/sys/bus/pci/devices/${address}/driver_override`;
const unbind = { path: `/sys/bus/pci/devices/${address}/driver/unbind`, text: address };
const probe = { path: '/sys/bus/pci/drivers_probe', text: address };

const onNvme: BindingState = { driver: 'nvme', override: null };

it('W71: gives one function to vfio-pci by driver_override', () => {
  expect(planMove('/sys/bus/pci', address, onNvme, givenToVfio).writes).toEqual([
    { path: override, text: 'vfio-pci' },
    unbind,
    probe,
  ]);
});

it('leads back to the driver it had, and clears driver_override with a line end', () => {
  expect(bindingWrites('/sys/bus/pci', address, givenToVfio, onNvme)).toEqual([
    { path: override, text: 'nvme' },
    unbind,
    probe,
    { path: override, text: '\n' },
  ]);
});

it('has nothing to unbind from a function without a driver, and leaves it without one on the way back', () => {
  const free: BindingState = { driver: null, override: 'nvme' };
  expect(bindingWrites('/sys/bus/pci', address, free, givenToVfio)).toEqual([
    { path: override, text: 'vfio-pci' },
    probe,
  ]);
  expect(bindingWrites('/sys/bus/pci', address, givenToVfio, free)).toEqual([
    unbind,
    { path: override, text: 'nvme' },
  ]);
});

it('writes nothing where nothing changes', () => {
  expect(bindingWrites('/sys/bus/pci', address, onNvme, onNvme)).toEqual([]);
});
