import type { JsonValue } from '../../../api/json.ts';
import { textOf } from '../device-arguments.ts';
import { Refusal } from '../simulated-errors.ts';
import type { SimulatedDevice } from '../machine-options.ts';
import type { SimulatedMachine } from '../simulated-machine.ts';
import type { MachineShape } from './machine-shape.ts';
import { modelOf } from './models.ts';
import type { RecordedObject } from './recorded-qemu.ts';

const peripheral = '/machine/peripheral/';

/** A device of either sort, as the tree has it. */
interface Placed {
  readonly id: string;
  readonly model: string;
  readonly bus: string;
  readonly own: Readonly<Record<string, JsonValue>>;
}

/**
 * QEMU's object model of a simulated machine: what was recorded, with the devices that it was
 * started with and those that are plugged. Links to the devices on a bus are numbered in the
 * order of their plugging, and a number is never used again.
 */
export class ObjectTree {
  readonly #shape: MachineShape;
  readonly #machine: SimulatedMachine;
  readonly #busPaths = new Map<string, string>();
  readonly #links = new Map<string, Map<string, number>>();
  readonly #nextLink = new Map<string, number>();
  readonly #virtio = new Set<string>();

  constructor(shape: MachineShape, machine: SimulatedMachine) {
    this.#shape = shape;
    this.#machine = machine;
    for (const [path, { values }] of Object.entries(shape.recording.objects)) {
      if (/^(PCIE?|virtual-css-bus)$/.test(textOf(values, 'type'))) this.#addBus(path);
    }
    for (const { id, model } of shape.bootDevices) {
      for (const below of Object.keys(modelOf(shape.recording, model).objects)) {
        if (/\{id\}(\.0)?$/.test(below)) this.#addBus(`${peripheral}${id}${named(below, id)}`);
      }
      this.#link(shape.rootBus, id);
    }
  }

  /** Numbers the link to a device that was plugged. */
  plugged({ id, model, place }: SimulatedDevice): void {
    this.#link(place.bus, id);
    if (modelOf(this.#shape.recording, model).virtio !== undefined) this.#virtio.add(id);
  }

  /** Whether there was a virtio device inside of the device that left. */
  left(id: string): boolean {
    for (const links of this.#links.values()) links.delete(id);
    return this.#virtio.delete(id);
  }

  /** @throws Refusal as `qom-list` */
  list(path: string): JsonValue {
    return this.#find(path).has.map((line) => {
      const [, name = '', type = ''] = /^(.*?): (.*)$/.exec(line) ?? [];
      return { name, type };
    });
  }

  /** @throws Refusal as `qom-get` */
  get(path: string, property: string): JsonValue {
    const { values } = this.#find(path);
    const value = values[property] ?? this.#argument(path, property);
    if (value !== undefined) return value;
    throw new Refusal(`Property '${textOf(values, 'type')}.${property}' not found`);
  }

  /** Whether there is a virtio device inside of the device at `path`, and which; for `…/virtio-backend`. */
  virtioName(path: string): string | undefined {
    const id = new RegExp(`^${peripheral}([^/]+)/virtio-backend$`).exec(path)?.[1];
    const model = id === undefined ? undefined : this.#device(id)?.model;
    return model === undefined ? undefined : modelOf(this.#shape.recording, model).virtio;
  }

  #find(path: string): RecordedObject {
    const found = this.#own(path) ?? this.#ofDevice(path) ?? this.#shape.recording.objects[path];
    if (found === undefined) throw new Refusal(`Device '${path}' not found`, 'not-found');
    return this.#withLinks(path, found);
  }

  /** Objects that depend on what the machine was started with, and the containers. */
  #own(path: string): RecordedObject | undefined {
    const { recording, memorySlots } = this.#shape;
    const child = (names: readonly string[]): RecordedObject => ({
      has: ['type: string', ...names],
      values: { type: 'container' },
    });
    switch (path) {
      case '/machine/peripheral':
        return child(this.#all().map(({ id, model }) => `${id}: child<${model}>`));
      case '/machine/peripheral-anon':
        return child([]);
      case '/objects': {
        const memory = textOf(recording.objects['/machine']?.values ?? {}, 'memory-backend').slice(9);
        const added = this.#machine.backEnds.objects.names;
        return child([
          `${memory}: child<memory-backend-${this.#shape.sharedMemory ? 'memfd' : 'ram'}>`,
          ...added.map((id) => `${id}: child<memory-backend-file>`),
        ]);
      }
      case '/machine': {
        const machine = recording.objects[path];
        if (machine === undefined || memorySlots === 0) return machine;
        const size = 268_435_456;
        const memory = { size, slots: memorySlots, 'max-size': 16 * size };
        return { ...machine, values: { ...machine.values, memory, nvdimm: true } };
      }
      default:
        return undefined;
    }
  }

  #ofDevice(path: string): RecordedObject | undefined {
    if (!path.startsWith(peripheral)) return undefined;
    const [id = ''] = path.slice(peripheral.length).split('/');
    const device = this.#device(id);
    if (device === undefined) return undefined;
    const below = path.slice(peripheral.length + id.length);
    const template = Object.entries(modelOf(this.#shape.recording, device.model).objects).find(
      ([name]) => named(name, id) === below,
    )?.[1];
    if (template === undefined) return undefined;
    const values = Object.entries(template.values).map(([name, value]): [string, JsonValue] => [
      name,
      typeof value === 'string' ? named(value, id) : value,
    ]);
    return {
      has: template.has.map((line) => named(line, id)),
      values: { ...Object.fromEntries(values), ...(below === '' ? device.own : {}) },
    };
  }

  #withLinks(path: string, object: RecordedObject): RecordedObject {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const links = this.#busPaths.get(name) === path ? this.#links.get(name) : undefined;
    if (links === undefined || links.size === 0) return object;
    const has = [...links].map(([id, index]) => `child[${index}]: link<${this.#device(id)?.model ?? ''}>`);
    const paths = [...links].map(([id, index]) => [`child[${index}]`, `${peripheral}${id}`]);
    return {
      has: [...object.has, ...has],
      values: { ...object.values, ...Object.fromEntries(paths) },
    };
  }

  #device(id: string): Placed | undefined {
    const plugged = this.#machine.device(id);
    if (plugged !== undefined) return ofPlugged(plugged);
    const boot = this.#shape.bootDevices.find((device) => device.id === id);
    return boot === undefined ? undefined : { ...boot, bus: this.#shape.rootBus, own: boot.where };
  }

  #all(): Pick<Placed, 'id' | 'model'>[] {
    return [...this.#shape.bootDevices, ...this.#machine.devices];
  }

  /** What a device was given when it was plugged is there to be read, and whether it was. */
  #argument(path: string, property: string): JsonValue | undefined {
    const id = path.startsWith(peripheral) ? path.slice(peripheral.length) : '';
    const plugged = this.#machine.device(id);
    if (property !== 'hotplugged') return plugged?.arguments[property];
    return this.#device(id) === undefined ? undefined : plugged !== undefined;
  }

  #addBus(path: string): void {
    this.#busPaths.set(path.slice(path.lastIndexOf('/') + 1), path);
  }

  #link(bus: string, id: string): void {
    const links = this.#links.get(bus) ?? new Map<string, number>();
    const index = this.#nextLink.get(bus) ?? this.#recordedLinks(bus);
    this.#links.set(bus, links.set(id, index));
    this.#nextLink.set(bus, index + 1);
  }

  #recordedLinks(bus: string): number {
    const { has } = this.#shape.recording.objects[this.#busPaths.get(bus) ?? ''] ?? { has: [] };
    return has.filter((line) => line.startsWith('child[')).length;
  }
}

function ofPlugged({ id, model, place }: SimulatedDevice): Placed {
  return { id, model, bus: place.bus, own: ownPlace(place) };
}

function ownPlace(place: SimulatedDevice['place']): Record<string, JsonValue> {
  switch (place.transport) {
    case 'pci':
      return { addr: place.slot << 3 };
    case 'scsi':
      return { channel: place.channel, 'scsi-id': place.scsiId, lun: place.lun };
    case 'ccw':
      return { dev_id: place.devno };
    case 'memory':
    case 'ap':
      return {};
  }
}

function named(text: string, id: string): string {
  return text.replaceAll('{id}', id);
}
