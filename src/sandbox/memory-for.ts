import type { HostDevice } from '../api/host-device.ts';
import { memoryBytes } from '../hypervisors/qemu/boot-memory.ts';
import type { MemorySlotOptions } from '../hypervisors/qemu/machine-options.ts';

/** What of a VM depends on the devices that it is to have from the start, as far as it was said. */
export interface MemoryWishes {
  readonly memory: string;
  readonly sharedMemory?: boolean | undefined;
  readonly memorySlots?: MemorySlotOptions | undefined;
}

const mebibyte = 2 ** 20;
const gibibyte = 2 ** 30;

/**
 * The memory of a VM that is to have `hosts` from the start: shared where a back end has to reach it,
 * with slots where there are nvdimms; what was said stays as it was said. Pure.
 * @throws VmplugError `invalid-argument` for a size that is none
 */
export function memoryFor(
  wishes: MemoryWishes,
  hosts: readonly HostDevice[],
): { sharedMemory?: boolean; memorySlots?: MemorySlotOptions } {
  const shared = wishes.sharedMemory ?? hosts.some(({ kind }) => kind.startsWith('vhost-user-'));
  const slots = wishes.memorySlots ?? slotsFor(wishes.memory, hosts);
  return { sharedMemory: shared, ...(slots === undefined ? {} : { memorySlots: slots }) };
}

/** A slot for each nvdimm, and room in whole GiB. */
function slotsFor(memory: string, hosts: readonly HostDevice[]): MemorySlotOptions | undefined {
  const sizes = hosts.flatMap((host) => (host.kind === 'pmem' ? [host.size] : []));
  if (sizes.length === 0) return undefined;
  const room = sizes.reduce((sum, size) => sum + Math.ceil(size / gibibyte) * gibibyte, 0);
  return { count: sizes.length, maxMemory: `${(memoryBytes(memory) + room) / mebibyte}M` };
}
