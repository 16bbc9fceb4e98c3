import type { PciDevice } from './replies.ts';

/** Finds a function by its device's id, in `query-pci`'s tree. */
export function findPciDevice(
  roots: readonly { devices: readonly PciDevice[] }[],
  id: string,
): PciDevice | undefined {
  if (id === '') return undefined;
  for (const device of roots.flatMap((root) => root.devices)) {
    if (device.qdev_id === id) return device;
    const below = device.pci_bridge?.devices;
    const found = below === undefined ? undefined : findPciDevice([{ devices: below }], id);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Whether the guest has assigned every memory BAR. QEMU shows −1, as a signed or unsigned
 * 64-bit number, for one that is not assigned.
 */
export function isEnumerated(device: PciDevice): boolean {
  return device.regions.length > 0 && device.regions.every(({ address }) => isAssigned(BigInt(address)));
}

function isAssigned(address: bigint): boolean {
  return address !== -1n && address !== 0xffff_ffff_ffff_ffffn && address !== 0xffff_ffffn;
}

/** `0000:01:00.0`, with the bus number that the guest's firmware or kernel gave. */
export function pciAddress(device: PciDevice): string {
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  return `0000:${hex(device.bus)}:${hex(device.slot)}.${device.function}`;
}
