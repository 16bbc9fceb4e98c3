import { placeKey, slotText, type Bus, type PciPlace, type UnplugMethod } from '../../api/place.ts';
import type { QomBus } from './qom-bus.ts';

/** The slots of a PCI bus, or the one of a port, as places. Pure. */
export function pciBus(bus: QomBus): Bus {
  const method = methodOf(bus);
  const slots = isPort(bus) ? [0] : pciSlots;
  return {
    name: bus.name,
    transport: 'pci',
    kind: bus.parent?.type ?? 'root bus',
    capacity: slots.length,
    places: slots.map((slot) => pciPlace(bus, slot, method)),
    taken: new Map(
      bus.devices.flatMap((device) => {
        // A port has one slot: a device that QEMU 7.2 let in at another number fills it too.
        const slot = isPort(bus) ? 0 : Number(device.properties['addr'] ?? 0) >> 3;
        // The host bridge in slot 0 of a root bus sits at no place of ours.
        return slots.includes(slot) ? [[placeKey(pciPlace(bus, slot, method)), device.id]] : [];
      }),
    ),
  };
}

/** The slots of a PCI bus that devices may have: a PCI-PCI bridge keeps 0 for its own controller. */
export const pciSlots: readonly number[] = Array.from({ length: 31 }, (_, index) => index + 1);

/** A place on a bus that `slots` lead to from the root bus. */
export function pciPlace(
  { name, slots }: Pick<QomBus, 'name' | 'slots'>,
  slot: number,
  unplug: UnplugMethod,
): PciPlace {
  return { transport: 'pci', bus: name, slot, path: [...slots, slotText(slot)], unplug };
}

/** Why a PCI bus takes no hot-plug. */
export function pciRefusal(bus: QomBus): string | undefined {
  // Before the missing handler, which is what it leads to.
  if (bus.parent?.properties['hotplug'] === false) return 'the port has hotplug=off';
  if (bus.handler === '') {
    return bus.parent === undefined ? 'a root complex takes no hot-plug' : 'no hot-plug handler';
  }
  if (bus.handlerType === 's390-pcihost') return 'zPCI: the guest gives functions addresses of its own';
  if (bus.type === 'PCIE' && !isPort(bus)) return 'not a port';
  const own = bus.handler === bus.parent?.path;
  if (bus.type === 'PCI' && own) return 'SHPC: seconds for each plug, and many guests lack its driver';
  if (!own && acpiHandlers.has(bus.handlerType) && !bus.acpi) return 'ACPI hot-plug is off for it';
  if (bus.parent?.type === 'pci-bridge' && bus.parent.properties['shpc'] === false) {
    return 'a pci-bridge with shpc=off: the guest never sees what is plugged';
  }
  return undefined;
}

const acpiHandlers = new Set(['PIIX4_PM', 'ICH9-LPC']);

/** ACPI before native, because native unplug takes 6 s; ports before bridges, which nest. */
export function pciRank(bus: QomBus): number {
  return (methodOf(bus) === 'acpi' ? 0 : 100) + (isPort(bus) ? 0 : 10) + bus.slots.length;
}

/** A port takes one device; a PCI bus 31. */
function isPort(bus: QomBus): boolean {
  return bus.type === 'PCIE' && bus.parent?.isPort === true;
}

function methodOf(bus: QomBus): UnplugMethod {
  return bus.handler === bus.parent?.path ? 'pcie-native' : 'acpi';
}
