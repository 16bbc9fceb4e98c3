import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { defaultHostHooks, type HostHooks } from '../../api/config.ts';
import { VFIODeviceNormalType } from '../../api/device-info.ts';
import type { LeasedFunction, VfioLease } from '../../api/lease.ts';
import { deviceLogger } from '../../api/logger.ts';
import { membersOfGroup } from './iommu-group.ts';
import { bindingOf, moveFunctions, putBack, type PciBus } from './move-functions.ts';
import { boundDriver, isVfioPciDriver, type BindingState } from './pci-driver.ts';
import type { SysfsIo } from './sysfs-io.ts';
import { bindingFailed, bindingUnknown, driverNotLoaded, type Misplaced } from './vfio-binding-errors.ts';
import { givenToVfio, planMove, type FunctionMove } from './vfio-binding-plan.ts';

export interface BindingOptions {
  readonly hooks?: HostHooks | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Gives every function of an IOMMU group to vfio-pci, or none. Bridges, and functions that
 * vfio-pci (or a variant of it) has already, are left as they are. Whether the host uses the
 * functions is the caller's to know.
 * @throws VmplugError `pci-device-not-found`, `source-unsuitable`, `unsupported` when vfio-pci
 * is not loaded, `missing-package`, `aborted`: nothing is changed; `outcome-unknown` with the
 * present state of each function that could not be put back
 */
export async function bindGroupToVfio(
  group: string,
  io: SysfsIo,
  { hooks = defaultHostHooks, signal }: BindingOptions = {},
): Promise<VfioLease> {
  const bus = pciBus(hooks, io);
  const members = await membersOfGroup(group, hooks);
  const functions = members.filter(({ member }) => member.Type === VFIODeviceNormalType);
  const addresses = functions.map(({ member }) => member.BDF);
  const moves = await movesToVfio(`IOMMU group ${group}`, addresses, bus);
  await moveFunctions(`IOMMU group ${group}`, moves, bus, signal);
  return { group, functions: leasedBy(moves) };
}

/** What has to be given back after `moves`. */
export function leasedBy(moves: readonly FunctionMove[]): LeasedFunction[] {
  return moves.map(({ address, from }) => ({ address, ...from }));
}

/**
 * The moves that give functions to vfio-pci; those that have it, or a variant of it, are left out.
 * @param subject what moves, for errors
 * @throws VmplugError `unsupported` when vfio-pci is not loaded, `source-unsuitable`; changes nothing
 */
export async function movesToVfio(
  subject: string,
  addresses: readonly string[],
  bus: PciBus,
): Promise<FunctionMove[]> {
  const moves: FunctionMove[] = [];
  for (const address of addresses) {
    const move = await moveToVfio(subject, address, bus);
    if (move !== undefined) moves.push(move);
  }
  return moves;
}

/**
 * Gives back what {@link bindGroupToVfio} took. Goes on after a function that cannot be given
 * back, and may be called again for what is left. A function that is gone, or that somebody
 * gave to another driver since, is left alone with a warning.
 * @throws VmplugError `outcome-unknown` with the present state of each function that could not
 * be given back
 */
export async function releaseGroup(
  lease: VfioLease,
  io: SysfsIo,
  { hooks = defaultHostHooks }: Pick<BindingOptions, 'hooks'> = {},
): Promise<void> {
  const bus = pciBus(hooks, io);
  const misplaced: Misplaced[] = [];
  for (const { address, driver, override } of lease.functions) {
    if (!isOurs(address, driver, bus)) continue;
    const result = await putBack(address, { driver, override }, bus);
    if (result !== undefined) misplaced.push(result);
  }
  const [first] = misplaced;
  if (first !== undefined) throw bindingUnknown(`IOMMU group ${lease.group}`, first.error, misplaced);
}

/**
 * The move of one function to vfio-pci; `undefined` when it is there.
 * @throws VmplugError `unsupported`, `source-unsuitable`
 */
export async function moveToVfio(
  subject: string,
  address: string,
  bus: PciBus,
): Promise<FunctionMove | undefined> {
  const present = await knownBinding(subject, address, bus);
  if (isVfioPciDriver(present.driver)) return undefined;
  if (!existsSync(join(bus.path, 'drivers/vfio-pci'))) throw driverNotLoaded(subject, 'vfio-pci');
  return planMove(bus.path, address, present, givenToVfio);
}

/** @throws VmplugError `source-unsuitable`: nothing was changed yet */
export async function knownBinding(subject: string, address: string, bus: PciBus): Promise<BindingState> {
  try {
    return await bindingOf(bus, address);
  } catch (error) {
    throw bindingFailed(subject, error);
  }
}

export function pciBus(hooks: HostHooks, io: SysfsIo): PciBus {
  return { path: dirname(hooks.SysBusPciDevicesPath), io };
}

/** Whether a function is as vfio-pci had it, or on its way back. */
function isOurs(address: string, former: string | null, bus: PciBus): boolean {
  const directory = join(bus.path, 'devices', address);
  const gone = !existsSync(directory);
  const driver = gone ? null : boundDriver(directory);
  if (!gone && (driver === null || driver === former || isVfioPciDriver(driver))) return true;
  deviceLogger().warn('a function is not given back', { address, gone, driver });
  return false;
}
