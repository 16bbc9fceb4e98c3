import type { ExchangeOptions } from '../../api/hypervisor.ts';
import type { JsonValue } from '../../api/json.ts';
import { readMemorySlots } from './memory-slots.ts';
import { QomReader, type Batch } from './qom-reader.ts';
import type { QomProperties } from './replies.ts';
import { slotOf, type FoundBuses, type QomBus, type QomDevice } from './qom-bus.ts';

/** `dev_id` is where a channel device is, also when it was made without a `devno`. */
const placeProperties = ['addr', 'hotplug', 'shpc', 'channel', 'scsi-id', 'lun', 'dev_id'];

/**
 * Walks the object model from the host bridges down and returns every PCI, SCSI, channel and AP
 * bus with what is on it, and the memory slots. One round trip for each kind of question and
 * level, whatever the number of devices. A device that goes away in between is left out. Every
 * question costs QEMU a turn of its main loop, nearly a millisecond under TCG: what can be told
 * from another answer isn't asked.
 */
export async function discoverBuses(batch: Batch, options: ExchangeOptions): Promise<FoundBuses> {
  const ask = new QomReader(batch, options);
  const [machine, unattached] = await Promise.all([ask.list('/machine'), ask.list('/machine/unattached')]);
  const bridges = [
    ...hostBridges(machine).map((name) => `/machine/${name}`),
    ...hostBridges(unattached).map((name) => `/machine/unattached/${name}`),
  ];
  const [buses, memory] = await Promise.all([walk(ask, bridges), readMemorySlots(ask, machine)]);
  return { buses, ...(memory === undefined ? {} : { memory }) };
}

async function walk(ask: QomReader, bridges: readonly string[]): Promise<QomBus[]> {
  let level = await rootBuses(ask, bridges);
  const found: QomBus[] = [];
  while (level.length > 0) {
    const read = await Promise.all(level.map((start) => readBus(ask, start)));
    found.push(...read.map(({ bus }) => bus));
    level = read.flatMap(({ below }) => below);
  }
  return found;
}

interface BusStart {
  readonly path: string;
  readonly type: QomBus['type'];
  readonly parent?: QomDevice;
  readonly slots: readonly string[];
}

function hostBridges(list: QomProperties): string[] {
  const bridge = /^child<(.*(pcihost|host-bridge)|virtual-css-bridge|ap-bridge)>$/;
  return list.filter(({ type }) => bridge.test(type)).map(({ name }) => name);
}

async function rootBuses(ask: QomReader, bridges: readonly string[]): Promise<BusStart[]> {
  const children = await Promise.all(bridges.map((path) => ask.list(path)));
  return children.flatMap((list, index) =>
    childBuses(list).map(({ name, type }) => ({ path: `${bridges[index]}/${name}`, type, slots: [] })),
  );
}

const busTypes = ['PCI', 'PCIE', 'SCSI', 'virtual-css-bus', 'ap-bus'] as const;

/** The buses among the children of a device. */
function childBuses(list: QomProperties): { name: string; type: QomBus['type'] }[] {
  return list.flatMap(({ name, type }) => {
    const bus = busTypes.find((known) => type === `child<${known}>`);
    return bus === undefined ? [] : [{ name, type: bus }];
  });
}

async function readBus(ask: QomReader, start: BusStart): Promise<{ bus: QomBus; below: BusStart[] }> {
  const list = await ask.list(start.path);
  const links = list.filter(({ name, type }) => /^child\[\d+\]$/.test(name) && type.startsWith('link<'));
  const [handler, paths] = await Promise.all([
    ask.get(start.path, 'hotplug-handler'),
    Promise.all(links.map(({ name }) => ask.get(start.path, name))),
  ]);
  const handlerPath = textOf(handler);
  const [handlerType, devices] = await Promise.all([
    handlerPath === '' ? '' : ask.typeOf(handlerPath),
    Promise.all(
      links.map((link, index) => readDevice(ask, textOf(paths[index]), link.type.slice(5, -1), start)),
    ),
  ]);
  const there = devices.filter((device) => device !== undefined);
  return {
    bus: {
      name: start.path.slice(start.path.lastIndexOf('/') + 1),
      path: start.path,
      type: start.type,
      handler: handlerPath,
      handlerType: textOf(handlerType),
      acpi: list.some(({ name }) => name === 'acpi-pcihp-bsel') && !(await isUnseen(ask, start, handlerPath)),
      ...(start.parent === undefined ? {} : { parent: start.parent }),
      slots: start.slots,
      devices: there.map(({ device }) => device),
    },
    below: there.flatMap(({ below }) => below),
  };
}

/**
 * Whether ACPI hot-plug handles a bridge's bus and never tells the guest: QEMU 7.2's pc with hot-plug off for its root
 * bus and for bridges keeps it as the handler of bridges all the same.
 */
async function isUnseen(ask: QomReader, { parent }: BusStart, handlerPath: string): Promise<boolean> {
  if (parent === undefined || (await ask.typeOf(handlerPath)) !== 'PIIX4_PM') return false;
  return (await ask.get(handlerPath, 'acpi-pci-hotplug-with-bridge-support')) === false;
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

async function readDevice(
  ask: QomReader,
  path: string,
  type: string,
  on: BusStart,
): Promise<{ device: QomDevice; below: BusStart[] } | undefined> {
  if (path === '') return undefined;
  const isVirtio = type.startsWith('virtio-scsi');
  const [own, backend] = await Promise.all([
    ask.list(path),
    isVirtio ? ask.list(`${path}/virtio-backend`) : Promise.resolve([]),
  ]);
  const wanted = placeProperties.filter((property) => own.some(({ name }) => name === property));
  const values = await Promise.all(wanted.map((property) => ask.get(path, property)));
  const device: QomDevice = {
    path,
    id: /^\/machine\/peripheral\/([^/]+)$/.exec(path)?.[1] ?? '',
    type,
    properties: Object.fromEntries(wanted.map((property, index) => [property, values[index]])),
    isPort: own.some(({ name }) => name === 'chassis'),
  };
  const isPci = on.type === 'PCI' || on.type === 'PCIE';
  const slots = isPci ? [...on.slots, slotOf(Number(device.properties['addr'] ?? 0))] : on.slots;
  const below = [
    ...childBuses(own).map((bus) => ({ ...bus, path: `${path}/${bus.name}` })),
    ...childBuses(backend).map((bus) => ({ ...bus, path: `${path}/virtio-backend/${bus.name}` })),
  ].map((bus) => ({ path: bus.path, type: bus.type, parent: device, slots }));
  return { device, below };
}
