import { placeKey, type Bus, type MemoryPlace } from '../../api/place.ts';
import type { QomReader } from './qom-reader.ts';
import {
  machineMemory,
  memoryDevicesReply,
  readReply,
  type MemoryDevice,
  type QomProperties,
} from './replies.ts';

/** The slots for memory devices that a machine was started with (`-m slots=N`). */
export interface MemorySlots {
  /** `undefined` when QEMU does not say: before 7.1. */
  readonly slots: number | undefined;
  /** Whether nvdimms may be plugged (`-machine nvdimm=on`). */
  readonly nvdimm: boolean;
  /** The id of what is in a slot; empty when it has none. */
  readonly taken: ReadonlyMap<number, string>;
}

/**
 * Asks for the memory slots of a machine, in as few questions as its answers leave open: one
 * when it has no slots.
 */
export async function readMemorySlots(
  ask: QomReader,
  machine: QomProperties,
): Promise<MemorySlots | undefined> {
  const has = (property: string): boolean => machine.some(({ name }) => name === property);
  if (!has('nvdimm')) return undefined;
  if (!has('memory')) return { slots: undefined, nvdimm: false, taken: new Map() };
  const memory = await ask.get('/machine', 'memory');
  const { slots = 0 } = readReply(machineMemory, memory ?? {}, 'qom-get /machine memory');
  if (slots === 0) return { slots, nvdimm: false, taken: new Map() };
  const [nvdimm, devices] = await Promise.all([
    ask.get('/machine', 'nvdimm'),
    ask.ask({ execute: 'query-memory-devices' }),
  ]);
  const plugged = readReply(memoryDevicesReply, devices ?? [], 'query-memory-devices');
  return { slots, nvdimm: nvdimm === true, taken: new Map(plugged.flatMap(slotTaken)) };
}

/** virtio-mem and virtio-pmem sit on PCI: they take room, and no slot. */
function slotTaken({ data }: MemoryDevice): [number, string][] {
  return data.slot === undefined ? [] : [[data.slot, data.id ?? '']];
}

/** The slots as places. Pure. */
export function memoryBus({ slots, nvdimm, taken }: MemorySlots): Bus {
  const capacity = slots ?? 0;
  const refuses = refusal(slots, nvdimm);
  return {
    name: memoryBusName,
    transport: 'memory',
    kind: 'memory slots',
    capacity,
    places: Array.from({ length: capacity }, (_, slot) => memoryPlace(slot)),
    taken: new Map([...taken].map(([slot, id]) => [placeKey(memoryPlace(slot)), id])),
    ...(refuses === undefined ? {} : { refuses }),
  };
}

/** QEMU has no bus for memory devices; they have their slots in the machine itself. */
const memoryBusName = 'memory';

function memoryPlace(slot: number): MemoryPlace {
  // QEMU answers a request to remove an nvdimm at once: it refuses.
  return { transport: 'memory', bus: memoryBusName, slot, unplug: 'immediate' };
}

function refusal(slots: number | undefined, nvdimm: boolean): string | undefined {
  if (slots === undefined) return 'this QEMU does not say how many memory slots it has';
  if (slots === 0) return 'the VM was started without memory slots (-m SIZE,slots=N,maxmem=SIZE)';
  return nvdimm ? undefined : 'the VM was started without nvdimm=on in -machine';
}
