import { VmplugError } from '../../api/errors.ts';
import { bootArguments } from './boot-arguments.ts';
import { busDevices, scsiArguments } from './boot-devices.ts';
import { memoryArguments } from './boot-memory.ts';
import { execArguments } from './exec-channel.ts';
import type { MachineType, QemuMachine } from './machine-options.ts';
import { escaped } from './option-text.ts';

export { machineTypes, type MachineType, type QemuMachine } from './machine-options.ts';

/**
 * The arguments of a QEMU for hot-plug (man qemu-system-x86_64): q35 or virt with root ports, pc
 * with its root bus or s390-ccw-virtio, one virtio-scsi controller, nothing else that would take a
 * place, and then the devices that it has from the start. Pure.
 * @throws VmplugError `invalid-argument`; `unsupported` as {@link bootArguments}
 */
export function qemuArguments(vm: QemuMachine): string[] {
  return [
    ...machineArguments(vm),
    ...['-kernel', vm.kernel, ...(vm.initrd === undefined ? [] : ['-initrd', vm.initrd])],
    ...['-append', [`console=${consoles[vm.machine]} panic=-1 quiet`, vm.append ?? ''].join(' ').trim()],
    ...['-serial', `file:${escaped(vm.consoleLog)}`],
    ...execArguments(vm),
    ...qmpArguments(vm),
    ...bootArguments(vm.coldPlug ?? []),
  ];
}

/**
 * The arguments of a QEMU with the same machine whose CPUs never run: without a kernel, ports for
 * its guest or devices, to be asked what such a machine can do. Pure.
 * @throws VmplugError `invalid-argument`
 */
export function stoppedArguments(vm: MachineArguments): string[] {
  return ['-S', ...machineArguments(vm), ...qmpArguments(vm)];
}

/** What of a VM its machine and buses are made of. */
export type MachineArguments = Omit<
  QemuMachine,
  'kernel' | 'initrd' | 'append' | 'consoleLog' | 'execSocket' | 'coldPlug'
>;

function machineArguments(vm: MachineArguments): string[] {
  return [
    ...['-name', escaped(vm.name), '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    // Without it the firmware drives every disk that it finds, which looks like a guest's driver.
    ...['-boot', 'strict=on'],
    ...['-accel', vm.accel === 'tcg' ? 'tcg,thread=multi' : 'kvm', '-cpu', cpuModel(vm)],
    ...hotplugArguments(vm),
    ...memoryArguments(vm),
    ...busDevices(vm).flatMap((device) => ['-device', JSON.stringify(device)]),
    ...scsiArguments(vm),
  ];
}

function qmpArguments({ qmpSocket }: MachineArguments): string[] {
  return ['-qmp', `unix:${escaped(qmpSocket)},server=on,wait=off`];
}

/** Emulating all that `max` has takes an arm64 guest four times as long to boot. */
function cpuModel({ machine, accel }: MachineArguments): string {
  return machine === 'virt' && accel === 'tcg' ? 'cortex-a57' : 'max';
}

/** @throws VmplugError `invalid-argument` */
function hotplugArguments({ machine, nativeHotplug }: MachineArguments): string[] {
  if (nativeHotplug !== true) return [];
  if (machine === 'q35') return ['-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off'];
  throw new VmplugError('invalid-argument', {
    action: 'start a VM with native hot-plug',
    subject: machine,
    reason: machine === 'virt' ? 'its ports have no other' : 'it has no root ports',
    hint: 'leave it out, or choose q35',
  });
}

/** The guest's name of its first serial port. */
const consoles: Readonly<Record<MachineType, string>> = {
  q35: 'ttyS0',
  pc: 'ttyS0',
  virt: 'ttyAMA0',
  's390-ccw-virtio': 'ttysclp0',
};
