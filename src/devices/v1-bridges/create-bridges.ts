import { Bridge } from './bridge.ts';

/** Machine types of QEMU that v1 makes bridges for (`virtcontainers/qemu.go`), with the bridges' type. */
const bridgeTypes: ReadonlyMap<string, 'pci' | 'ccw'> = new Map([
  ['pc', 'pci'],
  ['q35', 'pci'],
  ['virt', 'pci'],
  ['pseries', 'pci'],
  ['s390-ccw-virtio', 'ccw'],
]);

/** The slot of the first PCI bridge on its root bus. */
const firstAddr = 2;

/**
 * The bridges of a VM that starts: `pci-bridge-0` and on, the first in slot 2 of the root bus. A
 * machine of another type has none.
 */
export function createBridges(count: number, machineType: string): Bridge[] {
  const type = bridgeTypes.get(machineType);
  if (type === undefined) return [];
  return Array.from(
    { length: count },
    (_, index) => new Bridge(type, `${type}-bridge-${index}`, type === 'pci' ? firstAddr + index : 0),
  );
}
