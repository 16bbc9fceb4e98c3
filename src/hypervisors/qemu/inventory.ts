import type { ExchangeOptions, Inventory } from '../../api/hypervisor.ts';
import type { JsonValue } from '../../api/json.ts';
import type { Batch } from './qom-reader.ts';
import { chardevReply, namedNodesReply, qomProperties, readReply } from './replies.ts';

/**
 * Everything in a QEMU that could be ours: devices; as back ends block nodes, objects and
 * character devices. Network back ends cannot be asked for over QMP; one of vhost-user's has a
 * character device under it, and takes that with it when it is deleted.
 * @throws VmplugError `protocol-error`, and what the connection throws
 */
export async function readInventory(batch: Batch, options: ExchangeOptions): Promise<Inventory> {
  const [devices, nodes, objects, chardevs] = await Promise.all(
    batch(
      [
        { execute: 'qom-list', arguments: { path: '/machine/peripheral' } },
        { execute: 'query-named-block-nodes', arguments: { flat: true } },
        { execute: 'qom-list', arguments: { path: '/objects' } },
        { execute: 'query-chardev' },
      ],
      options,
    ),
  );
  return {
    devices: children(devices),
    backends: [
      ...readReply(namedNodesReply, nodes ?? null, 'query-named-block-nodes').flatMap(
        (node) => node['node-name'] ?? [],
      ),
      ...children(objects),
      ...readReply(chardevReply, chardevs ?? null, 'query-chardev').map(({ label }) => label),
    ],
  };
}

function children(list: JsonValue | undefined): string[] {
  return readReply(qomProperties, list ?? null, 'qom-list')
    .filter(({ type }) => type.startsWith('child<'))
    .map(({ name }) => name);
}
