import { bootArguments } from './boot-arguments.ts';
import { busDevices, scsiArguments } from './boot-devices.ts';
import { memoryArguments } from './boot-memory.ts';
import type { QemuMachine } from './machine-options.ts';
import { escaped } from './option-text.ts';

export type { QemuMachine } from './machine-options.ts';

/**
 * The arguments of a QEMU for hot-plug (man qemu-system-x86_64): q35 with root ports, pc with
 * its root bus or s390-ccw-virtio, one virtio-scsi controller, nothing else that would take a
 * slot, and then the devices that it has from the start. Pure.
 * @throws VmplugError `invalid-argument`; `unsupported` as {@link bootArguments}
 */
export function qemuArguments(vm: QemuMachine): string[] {
  const tcg = vm.accel === 'tcg';
  return [
    ...['-name', escaped(vm.name), '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-accel', tcg ? 'tcg,thread=multi' : 'kvm', '-cpu', 'max'],
    ...memoryArguments(vm),
    ...['-kernel', vm.kernel, ...(vm.initrd === undefined ? [] : ['-initrd', vm.initrd])],
    ...['-append', [`console=${consoles[vm.machine]} panic=-1 quiet`, vm.append ?? ''].join(' ').trim()],
    ...busDevices(vm).flatMap((device) => ['-device', JSON.stringify(device)]),
    ...scsiArguments(vm),
    ...['-serial', `file:${escaped(vm.consoleLog)}`],
    ...['-serial', `unix:${escaped(vm.execSocket)},server=on,wait=off`],
    ...['-qmp', `unix:${escaped(vm.qmpSocket)},server=on,wait=off`],
    ...(vm.coldPlug ?? []).flatMap(bootArguments),
  ];
}

/** The guest's name of its first serial port. */
const consoles: Readonly<Record<QemuMachine['machine'], string>> = {
  q35: 'ttyS0',
  pc: 'ttyS0',
  's390-ccw-virtio': 'ttysclp0',
};
