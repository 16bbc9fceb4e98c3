import { VmplugError } from '../../api/errors.ts';
import type { JsonObject } from '../../api/json.ts';
import type { MachineType, QemuMachine } from './machine-options.ts';

/** The slot of the first bridge or port on the root bus: below are devices of the machine itself. */
const firstSlot = 2;
/** Slots of a root bus beside what a machine has anyway. */
const freeSlots = 28;
const functionsPerSlot = 8;
const mostBridges = 5;
/** I/O space has room for about ten bridges and ports, devices of the machine itself included (QEMU, docs/pcie.txt). */
const mostWithIo = 8;
/** Machines with a conventional PCI bus, or with room for a bridge to one. */
const hasBridges: ReadonlySet<MachineType> = new Set(['q35', 'pc']);
/** Machines with a root complex, whose ports take hot-plug. */
const hasRootPorts: ReadonlySet<MachineType> = new Set(['q35', 'virt']);

/** Where the SCSI controller is: behind the slots for ports and bridges. */
export const scsiSlot = 0x1e;
export const scsiId = 'scsi0';
/** Not among the device numbers that are given out. */
const scsiDeviceNumber = 'fe.0.0000';

/** A bridge or port on the root bus. */
export interface BootBridge {
  readonly id: string;
  readonly slot: number;
  readonly function: number;
}

type BusOptions = Pick<QemuMachine, 'machine' | 'ports' | 'bridges'>;

/**
 * The PCI-PCI bridges of a VM: bridge n is in slot 2 + n. Pure.
 * @throws VmplugError `invalid-argument`
 */
export function pciBridges({ machine, bridges = 0 }: BusOptions): BootBridge[] {
  const most = hasBridges.has(machine) ? mostBridges : 0;
  const what = hasBridges.has(machine) ? 'PCI bridges' : `PCI bridges of ${machine}`;
  checkCount('bridges', bridges, most, what, `for example ${Math.min(1, most)}`);
  return Array.from({ length: bridges }, (_, index) => ({
    id: `pci-bridge-${index}`,
    slot: firstSlot + index,
    function: 0,
  }));
}

/**
 * The root ports of a VM; q35 and virt only. A slot for each while there are enough: a path of slots then
 * leads to one port only. Pure.
 * @throws VmplugError `invalid-argument`
 */
export function rootPorts(vm: BusOptions): BootBridge[] {
  if (!hasRootPorts.has(vm.machine)) return [];
  const first = firstSlot + pciBridges(vm).length;
  const slots = firstSlot + freeSlots - first;
  checkCount('root ports', vm.ports, functionsPerSlot * slots, 'ports', 'for example --ports 8');
  const perSlot = Math.ceil(vm.ports / slots);
  return Array.from({ length: vm.ports }, (_, index) => ({
    id: `port${index}`,
    slot: first + Math.floor(index / perSlot),
    function: index % perSlot,
  }));
}

/** The bridges and root ports as devices. No two have the same chassis. */
export function busDevices(vm: BusOptions): JsonObject[] {
  const bridges = pciBridges(vm);
  const ports = rootPorts(vm);
  const isShared = ports.some((port) => port.function > 0);
  return [
    ...bridges.map(({ id, slot }, index) => ({
      driver: 'pci-bridge',
      id,
      bus: vm.machine === 'q35' ? 'pcie.0' : 'pci.0',
      addr: slot.toString(16),
      chassis_nr: index + 1,
      // Without it the guest never sees what is plugged.
      shpc: true,
      romfile: '',
    })),
    ...ports.map((port, index) => ({
      driver: 'pcie-root-port',
      id: port.id,
      bus: 'pcie.0',
      addr: `${port.slot.toString(16)}.${port.function}`,
      multifunction: isShared,
      chassis: bridges.length + index + 1,
      // QEMU opens no window then. Virtio needs none; a function that is passed through may have nothing but I/O BARs.
      ...(bridges.length + index < mostWithIo ? {} : { 'io-reserve': 0 }),
    })),
  ];
}

/** The virtio-scsi controller, with a thread of its own if that is wanted. Pure. */
export function scsiArguments({
  machine,
  scsiIothread,
}: Pick<QemuMachine, 'machine' | 'scsiIothread'>): string[] {
  const iothread = `iothread-${scsiId}`;
  const where =
    machine === 's390-ccw-virtio'
      ? { driver: 'virtio-scsi-ccw', id: scsiId, devno: scsiDeviceNumber }
      : { driver: 'virtio-scsi-pci', id: scsiId, addr: scsiSlot.toString(16) };
  return scsiIothread === true
    ? [
        ...['-object', JSON.stringify({ 'qom-type': 'iothread', id: iothread })],
        ...['-device', JSON.stringify({ ...where, iothread })],
      ]
    : ['-device', JSON.stringify(where)];
}

function checkCount(what: string, count: number, most: number, noun: string, hint: string): void {
  if (Number.isInteger(count) && count >= 0 && count <= most) return;
  throw new VmplugError('invalid-argument', {
    action: `start a VM with ${what}`,
    subject: String(count),
    reason: `the number of ${noun} is a whole number from 0 to ${most}`,
    hint,
  });
}
