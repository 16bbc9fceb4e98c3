import type { ExchangeOptions, PluggedDevice } from '../../api/hypervisor.ts';
import type { JsonValue } from '../../api/json.ts';
import { ownPrefix } from '../../api/names.ts';
import { QomReader, type Batch } from './qom-reader.ts';
import { chardevReply, nodeFilesReply, readReply, type QomProperties } from './replies.ts';

/**
 * Devices that were plugged into a running QEMU and do not carry our prefix: of every device below
 * `/machine/peripheral` and `/machine/peripheral-anon` the property `hotplugged` says so. What one uses of
 * the host is told by its node's file, its character device's socket or its `host`.
 * @throws VmplugError `protocol-error`, and what the connection throws
 */
export async function readForeignDevices(batch: Batch, options: ExchangeOptions): Promise<PluggedDevice[]> {
  const ask = new QomReader(batch, options);
  const folders = ['/machine/peripheral', '/machine/peripheral-anon'];
  const lists = await Promise.all(folders.map((path) => ask.list(path)));
  const found = lists.flatMap((list, index) =>
    children(list)
      .filter(({ name }) => !name.startsWith(ownPrefix))
      .map(({ name, model }) => ({ path: `${folders[index]}/${name}`, id: index === 0 ? name : '', model })),
  );
  const plugged = await Promise.all(found.map(({ path }) => ask.get(path, 'hotplugged')));
  const foreign = found.filter((_, index) => plugged[index] === true);
  if (foreign.length === 0) return [];
  const files = await hostFiles(ask);
  return Promise.all(foreign.map(({ path, id, model }) => readOne(ask, files, path, id, model)));
}

/**
 * What QEMU tells of devices with ids, whoever plugged them; what it does not have is left out.
 * @throws VmplugError `protocol-error`, and what the connection throws
 */
export async function readNamedDevices(
  batch: Batch,
  ids: readonly string[],
  options: ExchangeOptions,
): Promise<PluggedDevice[]> {
  const ask = new QomReader(batch, options);
  const [list, files] = await Promise.all([ask.list('/machine/peripheral'), hostFiles(ask)]);
  const found = children(list).filter(({ name }) => ids.includes(name));
  return Promise.all(
    found.map(({ name, model }) => readOne(ask, files, `/machine/peripheral/${name}`, name, model)),
  );
}

function children(list: QomProperties): { name: string; model: string }[] {
  return list
    .filter(({ type }) => type.startsWith('child<'))
    .map(({ name, type }) => ({ name, model: type.slice('child<'.length, -1) }));
}

/** The path behind every block node and every character device, by its name. */
async function hostFiles(ask: QomReader): Promise<ReadonlyMap<string, string>> {
  const [nodes, chardevs] = await Promise.all([
    ask.ask({ execute: 'query-named-block-nodes', arguments: { flat: true } }),
    ask.ask({ execute: 'query-chardev' }),
  ]);
  return new Map([
    ...readReply(nodeFilesReply, nodes ?? [], 'query-named-block-nodes').map((node): [string, string] => [
      `drive:${node['node-name']}`,
      node.file,
    ]),
    ...readReply(chardevReply, chardevs ?? [], 'query-chardev').map(
      ({ label, filename = '' }): [string, string] => [
        `chardev:${label}`,
        /unix:([^,]*)/.exec(filename)?.[1] ?? '',
      ],
    ),
  ]);
}

async function readOne(
  ask: QomReader,
  files: ReadonlyMap<string, string>,
  path: string,
  id: string,
  model: string,
): Promise<PluggedDevice> {
  const [drive, chardev, host, busPath, addr] = (
    await Promise.all(['drive', 'chardev', 'host', 'parent_bus', 'addr'].map((name) => ask.get(path, name)))
  ).map(textOf);
  const uses = [files.get(`drive:${drive}`), files.get(`chardev:${chardev}`)].filter(
    (file) => file?.startsWith('/') === true,
  );
  const parent = busPath === undefined ? [] : await ask.list(busPath.slice(0, busPath.lastIndexOf('/')));
  return {
    id,
    model,
    ...(busPath === undefined ? {} : { bus: busPath.slice(busPath.lastIndexOf('/') + 1) }),
    ...(addr === undefined ? {} : { slot: Number(addr) >> 3 }),
    isOnPort: parent.some(({ name }) => name === 'chassis'),
    uses: [...uses.flatMap((file) => file ?? []), ...(isPciAddress(host) ? [host] : [])],
  };
}

function textOf(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isPciAddress(host: string | undefined): host is string {
  return host !== undefined && /^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/.test(host);
}
