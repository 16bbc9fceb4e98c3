import { escaped } from './option-text.ts';
import type { MachineType, QemuMachine } from './machine-options.ts';

/** What the guest finds below `/sys/class/virtio-ports/<port>/name`. */
const execPortName = 'vmplug.exec';

const execId = 'exec';
/** Below the slots for ports. */
const execSlot = '1';
/** In a subchannel set of its own: its numbers are not among those that are given out. */
const execDeviceNumber = 'fe.1.0000';

/**
 * The port over which the guest takes commands: the second serial port of a PC; machines that have
 * one serial port, or none, have a virtio-serial port of the name {@link execPortName}. Pure.
 */
export function execArguments({
  machine,
  execSocket,
}: Pick<QemuMachine, 'machine' | 'execSocket'>): string[] {
  const listener = `${escaped(execSocket)},server=on,wait=off`;
  const controller = controllers[machine];
  if (controller === undefined) return ['-serial', `unix:${listener}`];
  const port = { driver: 'virtserialport', bus: `${execId}.0`, chardev: execId, name: execPortName };
  return [
    ...['-device', JSON.stringify(controller)],
    ...['-chardev', `socket,id=${execId},path=${listener}`],
    ...['-device', JSON.stringify(port)],
  ];
}

const controllers: Readonly<Record<MachineType, object | undefined>> = {
  q35: undefined,
  pc: undefined,
  virt: { driver: 'virtio-serial-pci', id: execId, addr: execSlot },
  's390-ccw-virtio': { driver: 'virtio-serial-ccw', id: execId, devno: execDeviceNumber },
};
