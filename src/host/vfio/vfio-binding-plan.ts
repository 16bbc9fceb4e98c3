import { join } from 'node:path';
import type { BindingState } from './pci-driver.ts';

/** One write to sysfs. */
export interface SysfsWrite {
  readonly path: string;
  readonly text: string;
}

/** A function that changes hands. Its undo is the writes from where it stands then to `from`. */
export interface FunctionMove {
  /** With its domain. */
  readonly address: string;
  readonly from: BindingState;
  readonly to: BindingState;
  readonly writes: readonly SysfsWrite[];
}

/** How vfio-pci has a function. */
export const givenToVfio: BindingState = { driver: 'vfio-pci', override: 'vfio-pci' };

/** @param bus the kernel's tree of the PCI bus, `/sys/bus/pci` */
export function planMove(bus: string, address: string, from: BindingState, to: BindingState): FunctionMove {
  return { address, from, to, writes: bindingWrites(bus, address, from, to) };
}

/**
 * The writes that lead a PCI function from one binding to another. By `driver_override`, which
 * means this one function; `new_id` would claim every device of equal ids. It is set for the
 * driver wanted also on the way back: so a function finds the driver that it had even where
 * others match it too, or where probing is off (`sriov_drivers_autoprobe`).
 */
export function bindingWrites(
  bus: string,
  address: string,
  from: BindingState,
  to: BindingState,
): SysfsWrite[] {
  const writes: SysfsWrite[] = [];
  const device = join(bus, 'devices', address);
  let override = from.override;
  const setOverride = (driver: string | null): void => {
    if (driver === override) return;
    // An empty line clears it; nothing at all would not reach the kernel.
    writes.push({ path: join(device, 'driver_override'), text: driver ?? '\n' });
    override = driver;
  };
  if (from.driver !== to.driver) {
    if (to.driver !== null) setOverride(to.driver);
    if (from.driver !== null) writes.push({ path: join(device, 'driver/unbind'), text: address });
    if (to.driver !== null) writes.push({ path: join(bus, 'drivers_probe'), text: address });
  }
  setOverride(to.override);
  return writes;
}
