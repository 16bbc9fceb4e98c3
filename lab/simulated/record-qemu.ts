import type { JsonObject, JsonValue } from '../../src/api/json.ts';
import { QmpConnection } from '../../src/hypervisors/qemu/qmp/index.ts';
import type {
  QemuVersion,
  RecordedModel,
  RecordedObject,
  RecordedQemu,
} from '../../src/hypervisors/simulated/qemu/recorded-qemu.ts';
import { isRead, keptSchema, readsBelow, wantedModels } from './kept.ts';
import { text } from './text.ts';

interface Listed {
  readonly name: string;
  readonly type: string;
}

const peripheral = '/machine/peripheral/';

/** Asks a QEMU, started with `-S` and one device of each model, for what is kept of it. */
export async function recordQemu(socket: string): Promise<RecordedQemu> {
  await using qmp = await QmpConnection.connect(socket, { timeoutMs: 30_000 });
  const ask = (execute: string, args?: JsonObject): Promise<JsonValue> => qmp.execute(execute, args);
  const list = async (path: string): Promise<Listed[]> =>
    (await ask('qom-list', { path }).catch(() => [])) as unknown as Listed[];

  async function object(path: string): Promise<RecordedObject & { readonly listed: Listed[] }> {
    const listed = (await list(path)).filter((entry) => isRead(path, entry));
    const values: Record<string, JsonValue> = {};
    for (const { name, type } of listed) {
      if (type.startsWith('child<')) continue;
      values[name] = await ask('qom-get', { path, property: name });
    }
    return { has: listed.map(({ name, type }) => `${name}: ${type}`).sort(), values, listed };
  }

  async function walk(path: string, into: Record<string, RecordedObject>): Promise<void> {
    const { has, values, listed } = await object(path);
    into[path] = { has, values };
    for (const { name, type } of listed) {
      const value = values[name];
      if (type.startsWith('child<') && readsBelow(`${path}/${name}`)) await walk(`${path}/${name}`, into);
      // What sits on a bus is where its link leads.
      if (type.startsWith('link<') && name.startsWith('child[') && typeof value === 'string') {
        if (into[value] === undefined) await walk(value, into);
      }
      if (
        name === 'hotplug-handler' &&
        typeof value === 'string' &&
        value !== '' &&
        into[value] === undefined
      ) {
        await walk(value, into);
      }
    }
  }

  const objects: Record<string, RecordedObject> = {};
  await walk('/machine', objects);
  const ids = (await list('/machine/peripheral')).filter(({ type }) => type.startsWith('child<'));
  const pci = await ask('query-pci').catch(() => []);
  const models: Record<string, RecordedModel> = {};
  for (const { name: id, type } of ids) {
    const all: Record<string, RecordedObject> = {};
    await walk(`${peripheral}${id}`, all);
    const model = type.slice('child<'.length, -1);
    const function_ = pciFunction(pci, id);
    const status = await ask('x-query-virtio-status', {
      path: `${peripheral}${id}/virtio-backend`,
    }).catch(() => undefined);
    models[model] = {
      objects: template(id, all),
      ...(function_ === undefined ? {} : { pci: function_ }),
      ...(status === undefined ? {} : { virtio: text((status as JsonObject)['name']) }),
    };
  }
  const types = (await ask('qom-list-types', {
    implements: 'device',
    abstract: false,
  })) as unknown as Listed[];
  const wanted = [...wantedModels];
  const properties: Record<string, string> = {};
  for (const typename of wanted.sort()) {
    const found = await ask('device-list-properties', { typename }).catch(() => undefined);
    if (found === undefined) continue;
    properties[typename] = (found as unknown as Listed[])
      .map(({ name, type }) => `${name}:${type.replaceAll(' ', '')}`)
      .sort()
      .join(' ');
  }
  const kept = new Set(ids.map(({ name }) => `${peripheral}${name}`));
  return {
    version: (await ask('query-version')) as QemuVersion,
    schema: keptSchema((await ask('query-qmp-schema')) as readonly JsonObject[]),
    types: types
      .map(({ name }) => name)
      .filter((name) => wanted.includes(name))
      .sort(),
    properties,
    objects: without(objects, kept),
    answers: {
      'query-kvm': await ask('query-kvm'),
      'query-memdev': await ask('query-memdev'),
      'query-status': await ask('query-status'),
      'query-pci': bare(pci),
    },
    models,
  };
}

/** The objects below a device, with its id taken out. */
function template(id: string, all: Record<string, RecordedObject>): Record<string, RecordedObject> {
  const own = `${peripheral}${id}`;
  const general = (text: string): string =>
    text.replaceAll(new RegExp(`(?<![\\w.-])${id}(?![\\w-])`, 'g'), '{id}');
  return Object.fromEntries(
    Object.entries(all)
      .filter(([path]) => path === own || path.startsWith(`${own}/`))
      .map(([path, { has, values }]) => [
        general(path.slice(own.length)),
        {
          has: has.filter((line) => !line.startsWith('child[')).map(general),
          values: Object.fromEntries(
            Object.entries(values)
              .filter(([name]) => !name.startsWith('child['))
              .map(([name, value]) => [name, typeof value === 'string' ? general(value) : value]),
          ),
        },
      ]),
  );
}

/** The machine without the devices that were only there to be looked at. */
function without(
  objects: Record<string, RecordedObject>,
  devices: ReadonlySet<string>,
): Record<string, RecordedObject> {
  const isGone = (path: JsonValue | undefined): boolean =>
    typeof path === 'string' && [...devices].some((own) => path === own || path.startsWith(`${own}/`));
  return Object.fromEntries(
    Object.entries(objects)
      .filter(([path]) => !isGone(path))
      .map(([path, { has, values }]) => {
        const left = Object.entries(values).filter(
          ([name, value]) => !(name.startsWith('child[') && isGone(value)),
        );
        const names = new Set(left.map(([name]) => name));
        return [
          path,
          {
            has: has.filter((line) => !line.startsWith('child[') || names.has(line.split(':')[0] ?? '')),
            values: Object.fromEntries(left),
          },
        ];
      }),
  );
}

interface PciFunction {
  readonly qdev_id: string;
  readonly pci_bridge?: { readonly devices?: readonly PciFunction[] };
}

function pciFunction(roots: JsonValue, id: string): JsonObject | undefined {
  return (roots as unknown as { devices: PciFunction[] }[])
    .flatMap(({ devices }) => devices)
    .find(({ qdev_id }) => qdev_id === id) as unknown as JsonObject | undefined;
}

/** The tree of the machine's own functions. */
function bare(roots: JsonValue): JsonValue {
  return (roots as unknown as { bus: number; devices: PciFunction[] }[]).map(({ bus, devices }) => ({
    bus,
    devices: devices.filter(({ qdev_id }) => qdev_id === '') as unknown as JsonObject[],
  }));
}
