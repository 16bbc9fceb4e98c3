import * as z from 'zod';
import { VmplugError } from '../../api/errors.ts';
import type { JsonValue } from '../../api/json.ts';

/** The shapes of QEMU's replies as far as they are read (docs/interop/qemu-qmp-ref). */

const integer = z.union([z.int(), z.bigint()]);

export const versionReply = z.object({
  qemu: z.object({ major: z.int(), minor: z.int(), micro: z.int() }),
  package: z.string(),
});

export const statusReply = z.object({ status: z.string(), running: z.boolean() });

export const qomProperties = z.array(z.object({ name: z.string(), type: z.string() }));
export type QomProperties = z.infer<typeof qomProperties>;

export const virtioStatusReply = z.object({ status: z.object({ statuses: z.array(z.string()) }) });

/** `type` is `io` or `memory`. */
const region = z.object({ bar: z.int(), type: z.string().optional(), size: integer, address: integer });

/** One PCI function; a bridge has what is behind it. */
export interface PciDevice {
  bus: number;
  slot: number;
  function: number;
  qdev_id: string;
  regions: {
    bar: number;
    type?: string | undefined;
    size: number | bigint;
    address: number | bigint;
  }[];
  pci_bridge?: { bus: { secondary: number }; devices?: PciDevice[] | undefined } | undefined;
}

const pciDevice: z.ZodType<PciDevice> = z.object({
  bus: z.int(),
  slot: z.int(),
  function: z.int(),
  qdev_id: z.string(),
  regions: z.array(region),
  pci_bridge: z
    .object({
      bus: z.object({ secondary: z.int() }),
      get devices() {
        return z.array(pciDevice).optional();
      },
    })
    .optional(),
});

export const pciReply = z.array(z.object({ bus: z.int(), devices: z.array(pciDevice) }));

export const blockStatsReply = z.array(
  z.object({ qdev: z.string().optional(), stats: z.object({ rd_operations: integer }) }),
);

export const nodeFilesReply = z.array(z.object({ 'node-name': z.string().default(''), file: z.string() }));

export const namedNodesReply = z.array(z.object({ 'node-name': z.string().optional() }));

/** Integers are small here: there are at most 256 slots. */
export const machineMemory = z.object({ slots: z.int().optional() });

const memoryDevice = z.object({
  type: z.string(),
  data: z.object({ id: z.string().optional(), slot: z.int().optional(), memdev: z.string().optional() }),
});
export type MemoryDevice = z.infer<typeof memoryDevice>;
export const memoryDevicesReply = z.array(memoryDevice);

export const memdevReply = z.array(z.object({ id: z.string().optional(), share: z.boolean() }));

/** Threads are those of the host that QEMU runs on. */
export const cpusReply = z.array(z.object({ 'cpu-index': z.int(), 'thread-id': z.int() }));

export const kvmReply = z.object({ enabled: z.boolean() });

export const chardevReply = z.array(z.object({ label: z.string(), filename: z.string().optional() }));

export const schemaReply = z.array(
  z.object({
    name: z.string(),
    'meta-type': z.string(),
    values: z.array(z.string()).optional(),
    'arg-type': z.string().optional(),
  }),
);

export const typesReply = z.array(z.object({ name: z.string() }));

/**
 * Reads a reply of a known shape.
 * @throws VmplugError `protocol-error` with the path of what is wrong
 */
export function readReply<T>(shape: z.ZodType<T>, reply: JsonValue, command: string): T {
  const result = shape.safeParse(reply);
  if (result.success) return result.data;
  throw new VmplugError('protocol-error', {
    action: 'read the reply to',
    subject: command,
    reason: z.prettifyError(result.error),
    cause: result.error,
  });
}
