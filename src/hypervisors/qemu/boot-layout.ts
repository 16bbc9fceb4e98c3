import { placeKey, slotText, type Bus, type UnplugMethod } from '../../api/place.ts';
import { pciBridges, rootPorts, scsiId, scsiSlot, type BootBridge } from './boot-devices.ts';
import { deviceNumbers } from './channel-places.ts';
import type { QemuMachine } from './machine-options.ts';
import { memoryBus } from './memory-slots.ts';
import { pciPlace, pciSlots } from './pci-places.ts';
import { scsiUnits } from './scsi-places.ts';

type Layout = Pick<QemuMachine, 'machine' | 'ports' | 'nativeHotplug' | 'bridges' | 'memorySlots'>;

/** PIIX4's functions. */
const isaSlotOfPc = 1;

/**
 * The places of a VM that was not started yet, for devices that it is to have from the start:
 * those where hot-plug works too, so that every device can be detached again. A started VM is
 * asked instead. Pure: what the VM has is made of its options each time, and never kept.
 * @throws VmplugError `invalid-argument`
 */
export function bootBuses(vm: Layout): Bus[] {
  const kind = vm.machine === 's390-ccw-virtio' ? 'virtio-scsi-ccw' : 'virtio-scsi-pci';
  const scsi = scsiUnits(`${scsiId}.0`, scsiId, kind);
  switch (vm.machine) {
    case 'q35':
      if (vm.nativeHotplug === true) {
        // Its bridges take hot-plug by SHPC then, which is not used.
        return [scsi, ...rootPorts(vm).map((port) => portBus(port, 'pcie-native')), memory(vm)];
      }
      return [
        scsi,
        ...rootPorts(vm).map((port) => portBus(port, 'acpi')),
        ...pciBridges(vm).map(bridgeBus),
        memory(vm),
      ];
    case 'virt':
      return [scsi, ...rootPorts(vm).map((port) => portBus(port, 'pcie-native')), memory(vm)];
    case 'pc':
      return [scsi, rootBusOfPc(pciBridges(vm)), ...pciBridges(vm).map(bridgeBus), memory(vm)];
    case 's390-ccw-virtio':
      return [scsi, deviceNumbers('virtual-css')];
  }
}

function portBus({ id, slot, function: port }: BootBridge, unplug: UnplugMethod): Bus {
  const behind = port === 0 ? slotText(slot) : `${slotText(slot)}.${port}`;
  return pciBusAtBoot({ name: id, slots: [behind], unplug }, 'pcie-root-port', [0], new Map());
}

function bridgeBus({ id, slot }: BootBridge): Bus {
  return pciBusAtBoot(
    { name: id, slots: [slotText(slot)], unplug: 'acpi' },
    'pci-bridge',
    pciSlots,
    new Map(),
  );
}

function rootBusOfPc(bridges: readonly BootBridge[]): Bus {
  const taken = new Map([
    [isaSlotOfPc, ''],
    ...bridges.map(({ id, slot }): [number, string] => [slot, id]),
    [scsiSlot, scsiId],
  ]);
  return pciBusAtBoot({ name: 'pci.0', slots: [], unplug: 'acpi' }, 'root bus', pciSlots, taken);
}

function pciBusAtBoot(
  { name, slots, unplug }: { name: string; slots: readonly string[]; unplug: UnplugMethod },
  kind: string,
  offered: readonly number[],
  taken: ReadonlyMap<number, string>,
): Bus {
  const placeAt = (slot: number) => pciPlace({ name, slots }, slot, unplug);
  return {
    name,
    transport: 'pci',
    kind,
    capacity: offered.length,
    places: offered.map(placeAt),
    taken: new Map([...taken].map(([slot, id]) => [placeKey(placeAt(slot)), id])),
  };
}

function memory({ memorySlots }: Layout): Bus {
  return memoryBus({
    slots: memorySlots?.count ?? 0,
    nvdimm: memorySlots !== undefined,
    taken: new Map(),
  });
}
