import type { ExchangeOptions, VmmFacts } from '../../api/hypervisor.ts';
import { hasCode } from '../../api/errors.ts';
import type { Batch } from './discover.ts';
import { deviceModels, featuresOf } from './features.ts';
import { readReply, schemaReply, typesReply, versionReply } from './replies.ts';

/**
 * Asks a QEMU what it is and what it can do (`query-version`, `query-qmp-schema`,
 * `qom-list-types`, `device-list-properties`). Takes some 50 ms, so the answer is kept with
 * the sandbox.
 * @throws VmplugError `protocol-error`, and what the connection throws
 */
export async function probe(batch: Batch, options: ExchangeOptions): Promise<VmmFacts> {
  const [version, schema, types, machine, ...models] = await Promise.all(
    batch(
      [
        { execute: 'query-version' },
        { execute: 'query-qmp-schema' },
        { execute: 'qom-list-types', arguments: { implements: 'device', abstract: false } },
        { execute: 'qom-get', arguments: { path: '/machine', property: 'type' } },
        ...deviceModels.map((typename) => ({ execute: 'device-list-properties', arguments: { typename } })),
      ],
      options,
    ).map((reply, index) => (index < 4 ? reply : orNothing(reply))),
  );
  const { qemu } = readReply(versionReply, version ?? null, 'query-version');
  const available = readReply(typesReply, types ?? null, 'qom-list-types').map(({ name }) => name);
  const properties = deviceModels.flatMap((model, index) =>
    propertyNames(models[index]).map((name) => `property:${model}.${name}`),
  );
  return {
    type: 'qemu',
    version: `${qemu.major}.${qemu.minor}.${qemu.micro}`,
    machine: typeof machine === 'string' ? machine.replace(/-machine$/, '') : '',
    features: [
      ...featuresOf(readReply(schemaReply, schema ?? null, 'query-qmp-schema'), available),
      ...properties.filter((name) => wantedProperties.has(name)),
    ],
  };
}

const wantedProperties = new Set(
  ['virtio-blk-pci', 'scsi-hd'].flatMap((model) =>
    ['share-rw', 'serial', 'write-cache'].map((name) => `property:${model}.${name}`),
  ),
);

/** A model that this build lacks refuses to list its properties. */
async function orNothing<T>(reply: Promise<T>): Promise<T | undefined> {
  try {
    return await reply;
  } catch (error) {
    if (hasCode(error, 'vmm-refused')) return undefined;
    throw error;
  }
}

function propertyNames(reply: unknown): string[] {
  const parsed = typesReply.safeParse(reply);
  return parsed.success ? parsed.data.map(({ name }) => name) : [];
}
