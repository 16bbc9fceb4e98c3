import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { defaultHostHooks } from '../../api/config.ts';
import { attribute } from '../disk/block-device.ts';
import { groupOfFunction } from './group-of-device.ts';
import { moveFunctions, type PciBus } from './move-functions.ts';
import { formatPciAddress, parsePciAddress } from './pci-address.ts';
import type { SysfsIo } from './sysfs-io.ts';
import { driverNotLoaded } from './vfio-binding-errors.ts';
import { planMove } from './vfio-binding-plan.ts';
import { knownBinding, moveToVfio, pciBus, type BindingOptions } from './vfio-binding.ts';
import { vfioError } from './vfio-errors.ts';

/**
 * v1's `BindDevicetoVFIO` (`virtcontainers/device/drivers/vfio.go`): gives one PCI function to
 * vfio-pci, or leaves it as it is, and returns the node of its IOMMU group.
 * @param vendorDevice `0x8086 0x10ca`, the function's ids in sysfs, which must be those that it has
 * @throws VmplugError `invalid-argument`, `pci-device-not-found`, `source-unsuitable`,
 * `unsupported`, `missing-package`, `aborted`, `outcome-unknown`
 */
export async function bindDevicetoVFIO(
  bdf: string,
  _hostDriver: string,
  vendorDevice: string,
  io: SysfsIo,
  { hooks = defaultHostHooks, signal }: BindingOptions = {},
): Promise<string> {
  const bus = pciBus(hooks, io);
  const address = formatPciAddress(parsePciAddress(bdf));
  const group = groupOfFunction(bdf, join(bus.path, 'devices', address), hooks);
  checkIds(bdf, address, vendorDevice, bus);
  const move = await moveToVfio(bdf, address, bus);
  await moveFunctions(bdf, move === undefined ? [] : [move], bus, signal);
  return `/dev/vfio/${group}`;
}

/**
 * v1's `BindDevicetoHost`: gives one PCI function to a driver of the host, or leaves it as it
 * is. Its `driver_override` is cleared.
 * @throws as {@link bindDevicetoVFIO}; `unsupported` when `hostDriver` is not loaded
 */
export async function bindDevicetoHost(
  bdf: string,
  hostDriver: string,
  vendorDevice: string,
  io: SysfsIo,
  { hooks = defaultHostHooks, signal }: BindingOptions = {},
): Promise<void> {
  const bus = pciBus(hooks, io);
  const address = formatPciAddress(parsePciAddress(bdf));
  checkIds(bdf, address, vendorDevice, bus);
  if (!/^[\w.-]*\w[\w.-]*$/.test(hostDriver))
    throw vfioError('invalid-argument', hostDriver, 'it is no name of a driver');
  if (!existsSync(join(bus.path, 'drivers', hostDriver))) throw driverNotLoaded(bdf, hostDriver);
  const present = await knownBinding(bdf, address, bus);
  const move = planMove(bus.path, address, present, { driver: hostDriver, override: null });
  await moveFunctions(bdf, [move], bus, signal);
}

function checkIds(bdf: string, address: string, wanted: string, bus: PciBus): void {
  const directory = join(bus.path, 'devices', address);
  if (!existsSync(directory))
    throw vfioError('pci-device-not-found', bdf, 'this host has no PCI device of that address');
  const ids = `${attribute(join(directory, 'vendor')) ?? ''} ${attribute(join(directory, 'device')) ?? ''}`;
  if (ids !== wanted)
    throw vfioError('invalid-argument', bdf, `the function there has the ids ${ids}, and not ${wanted}`);
}
