import { readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { errnoOf } from '../source-errors.ts';

/** Which driver a device has, and which one alone may take it; `null` for none. */
export interface BindingState {
  readonly driver: string | null;
  /** `driver_override` (Documentation/ABI/testing/sysfs-bus-pci). */
  readonly override: string | null;
}

/** The driver that the device in this sysfs directory is bound to; `null` when it has none. */
export function boundDriver(directory: string): string | null {
  try {
    return basename(readlinkSync(join(directory, 'driver')));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Whether it is vfio-pci or one of its variants for certain devices, such as mlx5_vfio_pci. */
export function isVfioPciDriver(driver: string | null): boolean {
  return driver !== null && /(?:^|[-_])vfio[-_]pci$/.test(driver);
}

export function sameBinding(a: BindingState, b: BindingState): boolean {
  return a.driver === b.driver && a.override === b.override;
}

/** `driver e1000e, no driver_override`. */
export function bindingText({ driver, override }: BindingState): string {
  const bound = driver === null ? 'no driver' : `driver ${driver}`;
  return `${bound}, ${override === null ? 'no driver_override' : `driver_override ${override}`}`;
}
