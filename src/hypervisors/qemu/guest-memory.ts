import type { QomReader } from './qom-reader.ts';
import { memdevReply, memoryDevicesReply, readReply } from './replies.ts';

/** Where the memory of a guest comes from. */
export interface GuestMemory {
  /** The id of the backend that is all of it; `undefined` when NUMA nodes have their own. */
  readonly machine: string | undefined;
  /** Every backend, also those of no use. */
  readonly backends: readonly { readonly id: string; readonly share: boolean }[];
  /** Ids of the backends of nvdimms, which are not the guest's memory. */
  readonly nvdimms: readonly string[];
  /** Ids of the backends of what was added to it since. */
  readonly added: readonly string[];
}

/** Asks for the backends (`query-memdev`, `query-memory-devices`, the machine's `memory-backend`). */
export async function readGuestMemory(ask: QomReader): Promise<GuestMemory> {
  const [machine, memdevs, devices] = await Promise.all([
    ask.get('/machine', 'memory-backend'),
    ask.ask({ execute: 'query-memdev' }),
    ask.ask({ execute: 'query-memory-devices' }),
  ]);
  const plugged = readReply(memoryDevicesReply, devices ?? [], 'query-memory-devices');
  const memdevsOf = (isWanted: (type: string) => boolean): string[] =>
    plugged.filter(({ type }) => isWanted(type)).flatMap(({ data }) => idOf(data.memdev) ?? []);
  return {
    machine: typeof machine === 'string' ? idOf(machine) : undefined,
    backends: readReply(memdevReply, memdevs ?? [], 'query-memdev').map(({ id = '', share }) => ({
      id,
      share,
    })),
    nvdimms: memdevsOf((type) => type === 'nvdimm'),
    added: memdevsOf((type) => type !== 'nvdimm'),
  };
}

/**
 * Whether another process can be handed all of the guest's memory, which vhost-user takes: QEMU
 * accepts such a device on memory of its own, and it fails quietly. Pure.
 */
export function isMemoryShared({ machine, backends, nvdimms, added }: GuestMemory): boolean {
  const memory =
    machine === undefined
      ? backends.filter(({ id }) => !nvdimms.includes(id))
      : backends.filter(({ id }) => id === machine || added.includes(id));
  return memory.length > 0 && memory.every(({ share }) => share);
}

/** `m0` of `/objects/m0`; `undefined` for no path at all. */
function idOf(path: string | undefined): string | undefined {
  return path === undefined || path === '' ? undefined : path.slice(path.lastIndexOf('/') + 1);
}
