import type { JsonValue } from '../../../api/json.ts';
import type { UnplugMethod } from '../../../api/place.ts';
import { rootPorts, scsiId, scsiSlot } from '../../qemu/boot-devices.ts';
import type { SimulatedBus } from '../simulated-bus.ts';
import type { RecordedQemu } from './recorded-qemu.ts';
import { recordingOf, type SimulatedMachineType } from './recordings.ts';

export interface ShapeOptions {
  /** `q35` by default. */
  readonly machine?: SimulatedMachineType;
  /** `7.2.22` by default. */
  readonly version?: string;
  /** Root ports, 4 by default; of no meaning for `pc` and `s390x`. */
  readonly ports?: number;
  /** Slots for nvdimms; none by default. */
  readonly memorySlots?: number;
  /** The guest's memory can be handed to other processes, which vhost-user needs. */
  readonly sharedMemory?: boolean;
}

/** A device that a machine has from the start. */
export interface BootDevice {
  readonly id: string;
  readonly model: string;
  /** The values of its own properties that say where it is. */
  readonly where: Readonly<Record<string, JsonValue>>;
}

/** What a simulated QEMU was started with. */
export interface MachineShape {
  readonly recording: RecordedQemu;
  readonly rootBus: string;
  /** On the root bus. */
  readonly bootDevices: readonly BootDevice[];
  readonly buses: readonly SimulatedBus[];
  readonly memorySlots: number;
  readonly sharedMemory: boolean;
}

const scsiBus: SimulatedBus = {
  transport: 'scsi',
  name: `${scsiId}.0`,
  controller: scsiId,
  units: 256,
};
const channelBus = 'virtual-css';

/**
 * A machine as `vmplug sandbox run` starts it: root ports where it has them, and one SCSI
 * controller. Pure.
 * @throws VmplugError `invalid-argument`
 */
export function machineShape(options: ShapeOptions): MachineShape {
  const { machine = 'q35', version = '7.2.22', ports = 4, memorySlots = 0, sharedMemory = false } = options;
  const recording = recordingOf(machine, version);
  const common = { recording, memorySlots, sharedMemory };
  const memory: SimulatedBus[] =
    memorySlots > 0 ? [{ transport: 'memory', name: 'memory', slots: memorySlots }] : [];
  const hba = { id: scsiId, model: 'virtio-scsi-pci', where: { addr: scsiSlot << 3 } };
  if (machine === 's390x') {
    const controller = { id: scsiId, model: 'virtio-scsi-ccw', where: { dev_id: 'fe.0.0000' } };
    const buses: SimulatedBus[] = [{ transport: 'ccw', name: channelBus }, scsiBus];
    return { ...common, rootBus: channelBus, bootDevices: [controller], buses };
  }
  if (machine === 'pc') {
    const slots = freeSlots(recording);
    const root: SimulatedBus = { transport: 'pci', name: 'pci.0', slots, unplug: 'acpi', isRoot: true };
    return { ...common, rootBus: 'pci.0', bootDevices: [hba], buses: [root, scsiBus, ...memory] };
  }
  const unplug: UnplugMethod = machine === 'q35' ? 'acpi' : 'pcie-native';
  const made = rootPorts({ machine: 'q35', ports });
  const root: SimulatedBus = {
    ...{ transport: 'pci', name: 'pcie.0', slots: [], unplug, isRoot: true },
    refuses: 'a root complex takes no hot-plug',
  };
  const portBuses: SimulatedBus[] = made.map(({ id }) => ({
    ...{ transport: 'pci', name: id, slots: [0], unplug, isPort: true },
  }));
  return {
    ...common,
    rootBus: 'pcie.0',
    bootDevices: [
      ...made.map(({ id, slot, function: number }) => ({
        ...{ id, model: 'pcie-root-port', where: { addr: (slot << 3) | number } },
      })),
      hba,
    ],
    buses: [root, ...portBuses, scsiBus, ...memory],
  };
}

/** The slots of a conventional root bus that nothing has from the start. */
function freeSlots({ objects }: RecordedQemu): number[] {
  const taken = new Set([
    scsiSlot,
    ...Object.values(objects).map(({ values }) => Number(values['addr'] ?? 0) >> 3),
  ]);
  return Array.from({ length: 31 }, (_, index) => index + 1).filter((slot) => !taken.has(slot));
}
