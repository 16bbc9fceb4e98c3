import { Option, type Command } from 'commander';
import { VmplugError } from '../api/errors.ts';
import type { MemorySlotOptions } from '../hypervisors/qemu/machine-options.ts';
import { machineTypes, type MachineType } from '../hypervisors/qemu/machine-options.ts';
import { wholeNumber } from './options.ts';

/** What a VM is made of, as the command line says it. */
export interface MachineFlags {
  readonly machine: MachineType | 'microvm';
  readonly ports?: number;
  readonly bridges?: number;
  readonly nativeHotplug?: true;
  readonly memory: string;
  readonly sharedMemory?: true;
  readonly memorySlots?: number;
  readonly maxMemory?: string;
}

/** The same, as the start of a VM takes it. */
export interface MachineWishes {
  readonly machine: MachineType;
  readonly ports: number;
  readonly bridges?: number;
  readonly nativeHotplug?: true;
  readonly memory: string;
  readonly sharedMemory?: true;
  readonly memorySlots?: MemorySlotOptions;
}

const defaultPorts = 8;

/** Adds the flags of {@link MachineFlags}. */
export function addMachineFlags(command: Command): Command {
  return command
    .addOption(new Option('--machine <type>').choices([...machineTypes, 'microvm']).default('q35'))
    .addOption(
      new Option(
        '--ports <n>',
        `root ports that take hot-plug, q35 and virt only (default: ${defaultPorts})`,
      ).argParser(wholeNumber),
    )
    .addOption(new Option('--bridges <n>', 'PCI-PCI bridges, q35 and pc only').argParser(wholeNumber))
    .option('--native-hotplug', "q35: hot-plug by PCIe's own means, without ACPI; unplug takes seconds")
    .option('--memory <size>', 'such as 256M or 2G', '256M')
    .option('--shared-memory', 'what vhost-user needs; on with one in --cold-plug')
    .addOption(
      new Option(
        '--memory-slots <n>',
        'for nvdimms, with --max-memory; as many as needed for those in --cold-plug',
      ).argParser(wholeNumber),
    )
    .option('--max-memory <size>', 'what the memory and all nvdimms come to at most');
}

/** @throws VmplugError `invalid-argument`; `unsupported` for a machine that takes no devices */
export function machineWishes(flags: MachineFlags): MachineWishes {
  const { machine, bridges, memorySlots, maxMemory } = flags;
  if (machine === 'microvm') {
    throw new VmplugError('unsupported', {
      action: 'start a VM of type',
      subject: machine,
      reason: 'its virtio-mmio buses take no device while it runs',
      hint: 'choose q35 or pc',
    });
  }
  const hasPorts = machine === 'q35' || machine === 'virt';
  if (!hasPorts && flags.ports !== undefined) {
    const itself = machine === 'pc' ? 'its root bus' : 'its channel subsystem';
    throw wrong(
      '--ports',
      `${machine} has no root ports: ${itself} takes devices itself`,
      'leave --ports out',
    );
  }
  if ((memorySlots === undefined) !== (maxMemory === undefined)) {
    const [given, missing] =
      memorySlots === undefined ? ['--max-memory', '--memory-slots'] : ['--memory-slots', '--max-memory'];
    throw wrong(given, `it goes with ${missing}`, 'for example --memory-slots 4 --max-memory 4G');
  }
  return {
    machine,
    ports: flags.ports ?? (hasPorts ? defaultPorts : 0),
    ...(bridges === undefined ? {} : { bridges }),
    ...(flags.nativeHotplug === undefined ? {} : { nativeHotplug: flags.nativeHotplug }),
    memory: flags.memory,
    ...(flags.sharedMemory === undefined ? {} : { sharedMemory: flags.sharedMemory }),
    ...(memorySlots === undefined || maxMemory === undefined
      ? {}
      : { memorySlots: { count: memorySlots, maxMemory } }),
  };
}

/** A flag that cannot be used so. */
export function wrong(subject: string, reason: string, hint: string): VmplugError {
  return new VmplugError('invalid-argument', { action: 'start a VM with', subject, reason, hint });
}
