import type { ExchangeOptions } from '../../api/hypervisor.ts';
import { hasCode } from '../../api/errors.ts';
import type { JsonValue } from '../../api/json.ts';
import type { Command } from '../../api/plan.ts';
import { qomProperties, readReply, type QomProperties } from './replies.ts';
import { slotOf, type QomBus, type QomDevice } from './topology.ts';

/** Sends commands without waiting in between: as a QMP connection does. */
export type Batch = (commands: readonly Command[], options: ExchangeOptions) => Promise<JsonValue>[];

const placeProperties = ['addr', 'hotplug', 'shpc', 'channel', 'scsi-id', 'lun'];

/**
 * Walks the object model from the host bridges down and returns every PCI and SCSI bus with
 * what is on it. One round trip for each kind of question and level, whatever the number of
 * devices. A device that goes away in between is left out. Every question costs QEMU a turn of
 * its main loop, nearly a millisecond under TCG: what can be told from another answer isn't asked.
 */
export async function discoverBuses(batch: Batch, options: ExchangeOptions): Promise<QomBus[]> {
  const ask = new QomReader(batch, options);
  let level = await rootBuses(ask);
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

async function rootBuses(ask: QomReader): Promise<BusStart[]> {
  const containers = ['/machine', '/machine/unattached'];
  const lists = await Promise.all(containers.map((path) => ask.list(path)));
  const bridges = lists.flatMap((list, index) =>
    list
      .filter(({ type }) => /^child<.*(pcihost|host-bridge)>$/.test(type))
      .map(({ name }) => `${containers[index]}/${name}`),
  );
  const children = await Promise.all(bridges.map((path) => ask.list(path)));
  return children.flatMap((list, index) =>
    childBuses(list).map(({ name, type }) => ({ path: `${bridges[index]}/${name}`, type, slots: [] })),
  );
}

const busTypes = ['PCI', 'PCIE', 'SCSI'] as const;

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
      acpi: list.some(({ name }) => name === 'acpi-pcihp-bsel'),
      ...(start.parent === undefined ? {} : { parent: start.parent }),
      slots: start.slots,
      devices: there.map(({ device }) => device),
    },
    below: there.flatMap(({ below }) => below),
  };
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
  const slots = on.type === 'SCSI' ? on.slots : [...on.slots, slotOf(Number(device.properties['addr'] ?? 0))];
  const below = [
    ...childBuses(own).map((bus) => ({ ...bus, path: `${path}/${bus.name}` })),
    ...childBuses(backend).map((bus) => ({ ...bus, path: `${path}/virtio-backend/${bus.name}` })),
  ].map((bus) => ({ path: bus.path, type: bus.type, parent: device, slots }));
  return { device, below };
}

/**
 * Reads the object model; questions asked in the same turn of the event loop leave together.
 * What is not there reads as nothing: devices come and go while we look.
 */
class QomReader {
  readonly #batch: Batch;
  readonly #options: ExchangeOptions;
  readonly #types = new Map<string, Promise<JsonValue | undefined>>();
  #waiting: { command: Command; settle: (reply: Promise<JsonValue>) => void }[] = [];

  constructor(batch: Batch, options: ExchangeOptions) {
    this.#batch = batch;
    this.#options = options;
  }

  async list(path: string): Promise<QomProperties> {
    const reply = await this.#ask({ execute: 'qom-list', arguments: { path } });
    return reply === undefined ? [] : readReply(qomProperties, reply, 'qom-list');
  }

  /** The type of an object that many have in common; asked once. */
  async typeOf(path: string): Promise<JsonValue | undefined> {
    const known = this.#types.get(path) ?? this.get(path, 'type');
    this.#types.set(path, known);
    return known;
  }

  async get(path: string, property: string): Promise<JsonValue | undefined> {
    return this.#ask({ execute: 'qom-get', arguments: { path, property } });
  }

  async #ask(command: Command): Promise<JsonValue | undefined> {
    const reply = new Promise<JsonValue>((settle) => {
      this.#waiting.push({ command, settle });
      if (this.#waiting.length === 1) setImmediate(() => this.#send());
    });
    try {
      return await reply;
    } catch (error) {
      if (hasCode(error, 'vmm-refused')) return undefined;
      throw error;
    }
  }

  #send(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const replies = this.#batch(
      waiting.map(({ command }) => command),
      this.#options,
    );
    waiting.forEach(({ settle }, index) => {
      const reply = replies[index];
      if (reply !== undefined) settle(reply);
    });
  }
}
