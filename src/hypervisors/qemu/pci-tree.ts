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
 * 64-bit number, for one that is not assigned. An I/O BAR need not be: ports without I/O space
 * have none to give, and the drivers do without. Nor the ROM, which is mapped only to be read.
 */
export function isEnumerated(device: PciDevice): boolean {
  const bars = barsOf(device);
  return bars.length > 0 && bars.every(({ address }) => isAssigned(BigInt(address)));
}

/** Whether a function has anything that the guest would assign. */
export function hasBars(device: PciDevice): boolean {
  return barsOf(device).length > 0;
}

const romBar = 6;

function barsOf({ regions }: PciDevice): PciDevice['regions'] {
  const bars = regions.filter(({ bar }) => bar < romBar);
  const memory = bars.filter(({ type }) => type !== 'io');
  return memory.length > 0 ? memory : bars;
}

function isAssigned(address: bigint): boolean {
  return address !== -1n && address !== 0xffff_ffff_ffff_ffffn && address !== 0xffff_ffffn;
}

/** `0000:01:00.0`, with the bus number that the guest's firmware or kernel gave. */
export function pciAddress(device: PciDevice): string {
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  return `0000:${hex(device.bus)}:${hex(device.slot)}.${device.function}`;
}
