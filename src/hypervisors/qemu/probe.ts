import type { ExchangeOptions, VmmFacts } from '../../api/hypervisor.ts';
import { featuresOf, modelsWithProperties, propertyFeatures } from './features.ts';
import { isMemoryShared, readGuestMemory } from './guest-memory.ts';
import { QomReader, type Batch } from './qom-reader.ts';
import { hasQuirk } from './quirks.ts';
import { kvmReply, readReply, schemaReply, typesReply, versionReply } from './replies.ts';

/** Among the features of every probe: raised when more is asked, so that older answers are told. */
const revision = 'probe:2';

/** Whether what is kept of a VM has all that a probe asks for. */
export function isCurrent(facts: VmmFacts): boolean {
  return facts.features.includes(revision);
}

/**
 * Asks a QEMU what it is and what it can do (`query-version`, `query-qmp-schema`,
 * `qom-list-types`, `device-list-properties`). Takes some 50 ms, so the answer is kept with
 * the sandbox. Beside the features of {@link featuresOf}: `property:MODEL.NAME`;
 * `memory:shared` when the guest's memory can be handed to another process;
 * `quirk:NAME` for a fault that a plan has to go round.
 * @throws VmplugError `protocol-error`, and what the connection throws
 */
export async function probe(batch: Batch, options: ExchangeOptions): Promise<VmmFacts> {
  const ask = new QomReader(batch, options);
  const [versionSaid, schema, types, machine, kvm, memory, ...models] = await Promise.all([
    ask.ask({ execute: 'query-version' }),
    ask.ask({ execute: 'query-qmp-schema' }),
    ask.ask({ execute: 'qom-list-types', arguments: { implements: 'device', abstract: false } }),
    ask.get('/machine', 'type'),
    ask.ask({ execute: 'query-kvm' }),
    readGuestMemory(ask),
    ...modelsWithProperties.map((typename) =>
      // A model that this build lacks refuses to list its properties.
      ask.ask({ execute: 'device-list-properties', arguments: { typename } }),
    ),
  ]);
  const { qemu } = readReply(versionReply, versionSaid ?? null, 'query-version');
  const version = `${qemu.major}.${qemu.minor}.${qemu.micro}`;
  const available = readReply(typesReply, types ?? null, 'qom-list-types').map(({ name }) => name);
  const { enabled: hasKvm } = readReply(kvmReply, kvm ?? null, 'query-kvm');
  const quirk = 'vhost-user-net-without-msix';
  return {
    type: 'qemu',
    version,
    machine: typeof machine === 'string' ? machine.replace(/-machine$/, '') : '',
    features: [
      revision,
      ...featuresOf(readReply(schemaReply, schema ?? null, 'query-qmp-schema'), available),
      ...modelsWithProperties.flatMap((model, index) => propertyFeatures(model, names(models[index]))),
      ...(isMemoryShared(memory) ? ['memory:shared'] : []),
      ...(!hasKvm && hasQuirk(version, quirk) ? [`quirk:${quirk}`] : []),
    ],
  };
}

function names(reply: unknown): string[] {
  const parsed = typesReply.safeParse(reply);
  return parsed.success ? parsed.data.map(({ name }) => name) : [];
}
