import { VmplugError } from '../../api/errors.ts';
import type { MemorySlotOptions, QemuMachine } from './machine-options.ts';

type MemoryOptions = Pick<QemuMachine, 'machine' | 'memory' | 'sharedMemory' | 'memorySlots'>;

const sharedMemoryId = 'ram';
/** QEMU's ACPI_MAX_RAM_SLOTS. */
const mostSlots = 256;

/**
 * The arguments for the machine type and its memory: shared as a memfd where that is wanted,
 * with slots for nvdimms where there are any. Pure.
 * @throws VmplugError `invalid-argument`
 */
export function memoryArguments({ machine, memory, sharedMemory, memorySlots }: MemoryOptions): string[] {
  const bytes = memoryBytes(memory);
  const shared = sharedMemory === true;
  if (memorySlots !== undefined) checkSlots(machine, bytes, memorySlots);
  const machineOptions = [
    machine,
    ...(shared ? [`memory-backend=${sharedMemoryId}`] : []),
    ...(memorySlots === undefined ? [] : ['nvdimm=on']),
  ];
  const sizes = [
    memory,
    ...(memorySlots === undefined ? [] : [`slots=${memorySlots.count}`, `maxmem=${memorySlots.maxMemory}`]),
  ];
  const backend = { 'qom-type': 'memory-backend-memfd', id: sharedMemoryId, size: bytes, share: true };
  return [
    ...['-machine', machineOptions.join(','), '-m', sizes.join(',')],
    ...(shared ? ['-object', JSON.stringify(backend)] : []),
  ];
}

function checkSlots(machine: string, bytes: number, { count, maxMemory }: MemorySlotOptions): void {
  if (machine !== 'q35' && machine !== 'pc') {
    throw wrong('memory slots', machine, 'machines of this type take no nvdimm', 'leave the slots out');
  }
  if (!Number.isInteger(count) || count < 1 || count > mostSlots) {
    const reason = `the number of slots is a whole number from 1 to ${mostSlots}`;
    throw wrong('memory slots', String(count), reason, 'for example 4');
  }
  if (memoryBytes(maxMemory) <= bytes) {
    const reason = 'with slots there must be room above the memory that the VM starts with';
    throw wrong('memory slots', maxMemory, reason, 'give a larger maximum');
  }
}

const units: Readonly<Record<string, number>> = { M: 2 ** 20, G: 2 ** 30 };

/**
 * Bytes of `256M` or `2G`.
 * @throws VmplugError `invalid-argument`
 */
export function memoryBytes(text: string): number {
  const [, number, unit] = /^([1-9]\d{0,8})([MG])$/.exec(text) ?? [];
  if (number === undefined || unit === undefined) {
    throw wrong('memory', text, 'memory is a number with M or G', 'for example --memory 256M');
  }
  return Number(number) * (units[unit] ?? 1);
}

function wrong(what: string, subject: string, reason: string, hint: string): VmplugError {
  return new VmplugError('invalid-argument', { action: `start a VM with ${what}`, subject, reason, hint });
}
