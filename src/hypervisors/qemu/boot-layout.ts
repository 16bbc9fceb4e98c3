import { placeKey, slotText, type Bus } from '../../api/place.ts';
import { pciBridges, rootPorts, scsiId, scsiSlot, type BootBridge } from './boot-devices.ts';
import { deviceNumbers } from './channel-places.ts';
import type { QemuMachine } from './machine-options.ts';
import { memoryBus } from './memory-slots.ts';
import { pciPlace, pciSlots } from './pci-places.ts';
import { scsiUnits } from './scsi-places.ts';

type Layout = Pick<QemuMachine, 'machine' | 'ports' | 'bridges' | 'memorySlots'>;

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
      return [scsi, ...rootPorts(vm).map(portBus), ...pciBridges(vm).map(bridgeBus), memory(vm)];
    case 'pc':
      return [scsi, rootBusOfPc(pciBridges(vm)), ...pciBridges(vm).map(bridgeBus), memory(vm)];
    case 's390-ccw-virtio':
      return [scsi, deviceNumbers('virtual-css')];
  }
}

function portBus({ id, slot, function: port }: BootBridge): Bus {
  const behind = port === 0 ? slotText(slot) : `${slotText(slot)}.${port}`;
  return pciBusAtBoot(id, 'pcie-root-port', [behind], [0], new Map());
}

function bridgeBus({ id, slot }: BootBridge): Bus {
  return pciBusAtBoot(id, 'pci-bridge', [slotText(slot)], pciSlots, new Map());
}

function rootBusOfPc(bridges: readonly BootBridge[]): Bus {
  const taken = new Map([
    [isaSlotOfPc, ''],
    ...bridges.map(({ id, slot }): [number, string] => [slot, id]),
    [scsiSlot, scsiId],
  ]);
  return pciBusAtBoot('pci.0', 'root bus', [], pciSlots, taken);
}

function pciBusAtBoot(
  name: string,
  kind: string,
  slots: readonly string[],
  offered: readonly number[],
  taken: ReadonlyMap<number, string>,
): Bus {
  const placeAt = (slot: number) => pciPlace({ name, slots }, slot, 'acpi');
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
