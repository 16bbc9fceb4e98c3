import { VmplugError } from '../../api/errors.ts';

/** What a VM of our own is started with. */
export interface QemuMachine {
  readonly name: string;
  readonly machine: 'q35' | 'pc';
  /** Root ports that take hot-plug; q35 only. */
  readonly ports: number;
  /** `256M`, `2G` */
  readonly memory: string;
  readonly kernel: string;
  readonly initrd?: string;
  /** Added to the kernel's command line. */
  readonly append?: string;
  readonly accel: 'tcg' | 'kvm';
  readonly qmpSocket: string;
  readonly consoleLog: string;
  /** The socket behind the guest's second serial port. */
  readonly execSocket: string;
}

/** Root ports that fit on one root complex beside what a machine has anyway. */
const mostPorts = 8 * 28;
const firstPortSlot = 2;
const portSlots = 28;

/**
 * The arguments of a QEMU for hot-plug (man qemu-system-x86_64): q35 with root ports or pc with
 * its root bus, one virtio-scsi controller, nothing else that would take a slot. Pure.
 * @throws VmplugError `invalid-argument`
 */
export function qemuArguments(vm: QemuMachine): string[] {
  const tcg = vm.accel === 'tcg';
  return [
    ...['-name', escaped(vm.name), '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-machine', vm.machine, '-accel', tcg ? 'tcg,thread=multi' : 'kvm', '-cpu', 'max'],
    ...['-m', memorySize(vm.memory)],
    ...['-kernel', vm.kernel, ...(vm.initrd === undefined ? [] : ['-initrd', vm.initrd])],
    ...['-append', ['console=ttyS0 panic=-1 quiet', vm.append ?? ''].join(' ').trim()],
    ...portArguments(vm),
    ...['-device', JSON.stringify({ driver: 'virtio-scsi-pci', id: 'scsi0', addr: '1e' })],
    ...['-serial', `file:${escaped(vm.consoleLog)}`],
    ...['-serial', `unix:${escaped(vm.execSocket)},server=on,wait=off`],
    ...['-qmp', `unix:${escaped(vm.qmpSocket)},server=on,wait=off`],
  ];
}

function portArguments(vm: QemuMachine): string[] {
  if (vm.machine === 'pc') return [];
  if (!Number.isInteger(vm.ports) || vm.ports < 0 || vm.ports > mostPorts) {
    throw new VmplugError('invalid-argument', {
      action: 'start a VM with root ports',
      subject: String(vm.ports),
      reason: `the number of ports is a whole number from 0 to ${mostPorts}`,
      hint: 'for example --ports 8',
    });
  }
  // A slot for each port while there are enough: a path of slots then leads to one port only.
  const perSlot = Math.ceil(vm.ports / portSlots);
  return Array.from({ length: vm.ports }, (_, index) => [
    '-device',
    JSON.stringify({
      driver: 'pcie-root-port',
      id: `port${index}`,
      bus: 'pcie.0',
      addr: `${(firstPortSlot + Math.floor(index / perSlot)).toString(16)}.${index % perSlot}`,
      multifunction: perSlot > 1,
      chassis: index + 1,
      // I/O space is enough for about ten ports, and modern virtio needs none.
      'io-reserve': 0,
    }),
  ]).flat();
}

function memorySize(text: string): string {
  if (!/^[1-9]\d{0,8}[MG]$/.test(text)) {
    throw new VmplugError('invalid-argument', {
      action: 'start a VM with memory',
      subject: text,
      reason: 'memory is a number with M or G',
      hint: 'for example --memory 256M',
    });
  }
  return text;
}

/** QEMU's option strings end at a comma; a doubled one stands for itself. */
function escaped(text: string): string {
  return text.replaceAll(',', ',,');
}
