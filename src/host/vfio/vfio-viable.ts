import { VFIODeviceNormalType } from '../../api/device-info.ts';
import type { NamedMember } from './iommu-group.ts';
import { boundDriver, isVfioPciDriver } from './pci-driver.ts';
import { mediatedDriverHint, vfioError } from './vfio-errors.ts';

/**
 * Sees that every member of an IOMMU group has a driver that gives it to a VM. The kernel
 * refuses a group with one on a driver of the host; one without a driver could not be opened.
 * @throws VmplugError `group-not-viable`, which names each function and its driver
 */
export function checkViable(source: string, group: string, members: readonly NamedMember[]): void {
  const others = members
    .map(({ name, member }) => ({ name, type: member.Type, driver: boundDriver(member.SysfsDev) }))
    .filter(({ type, driver }) =>
      // What binds to a mediated device is always a driver of vfio.
      type === VFIODeviceNormalType ? !isVfioPciDriver(driver) : driver === null,
    );
  if (others.length === 0) return;
  const drivers = others.map(({ name, driver }) => `${name} has ${driver ?? 'no driver'}`);
  throw vfioError(
    'group-not-viable',
    source,
    `IOMMU group ${group} moves as a whole, and not all of it is given to vfio: ${drivers.join(', ')}`,
    {
      hint: hint(others),
      facts: { group, ...Object.fromEntries(others.map(({ name, driver }) => [name, driver])) },
    },
  );
}

function hint(others: readonly { name: string; type: number }[]): string {
  const names = others.map(({ name }) => name).join(', ');
  return others.some(({ type }) => type === VFIODeviceNormalType)
    ? `give ${names} to vfio-pci: write vfio-pci to driver_override, unbind the driver, write the address to drivers_probe`
    : mediatedDriverHint(names);
}
