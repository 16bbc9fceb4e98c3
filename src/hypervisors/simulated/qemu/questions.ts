import type { JsonObject, JsonValue } from '../../../api/json.ts';
import type { Node } from '../block-layer.ts';
import { textOf } from '../device-arguments.ts';
import type { MachineWords } from '../machine-words.ts';
import { Refusal } from '../simulated-errors.ts';
import type { SimulatedMachine } from '../simulated-machine.ts';
import type { MachineShape } from './machine-shape.ts';
import type { ObjectTree } from './object-tree.ts';
import { isObject } from './parse-request.ts';
import { pciTree } from './pci-view.ts';

/** What questions are answered from. */
interface Asked {
  readonly shape: MachineShape;
  readonly machine: SimulatedMachine;
  readonly tree: ObjectTree;
  readonly words: MachineWords;
  readonly cpuThread: number;
  readonly status: () => { readonly status: string; readonly running: boolean };
  readonly isGuestUp: () => boolean;
}

type Question = (args: JsonObject, asked: Asked) => JsonValue;

/** The questions that a driver asks, and QEMU's answers as far as they are read. */
export const questions: ReadonlyMap<string, Question> = new Map<string, Question>([
  ['query-version', (_, { shape }) => shape.recording.version],
  ['query-qmp-schema', (_, { shape }) => shape.recording.schema],
  ['qom-list-types', (_, { shape }) => shape.recording.types.map((name) => ({ name, parent: 'device' }))],
  ['device-list-properties', (args, asked) => listProperties(text(args, 'typename'), asked)],
  ['qom-list', (args, { tree }) => tree.list(text(args, 'path'))],
  ['qom-get', (args, { tree }) => tree.get(text(args, 'path'), text(args, 'property'))],
  ['query-kvm', (_, { shape }) => shape.recording.answers['query-kvm'] ?? {}],
  ['query-status', (_, { status, shape }) => ({ ...singleStep(shape), ...status() })],
  ['query-cpus-fast', (_, { cpuThread }) => [{ 'cpu-index': 0, 'thread-id': cpuThread }]],
  ['query-pci', (_, { shape, machine, isGuestUp }) => pciTree(shape, machine, isGuestUp())],
  ['query-memdev', (_, asked) => memoryBackends(asked)],
  ['query-memory-devices', (_, { machine }) => memoryDevices(machine)],
  ['query-chardev', (_, asked) => characterDevices(asked)],
  ['query-named-block-nodes', (_, { machine }) => machine.nodes.all.toReversed().flatMap(nodesOf)],
  ['query-blockstats', (_, { machine }) => blockStats(machine)],
  ['x-query-virtio-status', (args, asked) => virtioStatus(text(args, 'path'), asked)],
]);

/**
 * A text that a question cannot do without.
 * @throws Refusal
 */
function text(args: JsonObject, key: string): string {
  const value = args[key];
  if (value === undefined) throw new Refusal(`Parameter '${key}' is missing`);
  if (typeof value !== 'string') throw new Refusal(`Invalid parameter type for '${key}', expected: string`);
  return value;
}

function singleStep({ recording }: MachineShape): JsonObject {
  const recorded = recording.answers['query-status'];
  return isObject(recorded) && 'singlestep' in recorded ? { singlestep: false } : {};
}

function listProperties(typename: string, { shape }: Asked): JsonValue {
  const properties = shape.recording.properties[typename];
  if (properties === undefined) throw new Refusal(`Device '${typename}' not found`, 'not-found');
  return properties.split(' ').map((property) => {
    const [name = '', type = ''] = property.split(':');
    return { name, type };
  });
}

function memoryBackends({ shape, machine }: Asked): JsonValue {
  const own = shape.recording.answers['query-memdev'];
  const added = machine.backEnds.objects.all.map(({ id, size, share }) => ({ id, size, share }));
  const backends = Array.isArray(own) ? own : [];
  return [
    ...added.toReversed(),
    ...backends.map((each: JsonObject) => ({ ...each, share: shape.sharedMemory })),
  ];
}

function memoryDevices({ devices, backEnds }: SimulatedMachine): JsonValue {
  let addr = 4_294_967_296;
  return devices.flatMap(({ id, model, place, arguments: args }) => {
    if (place.transport !== 'memory') return [];
    const memdev = textOf(args, 'memdev');
    const size = backEnds.objects.all.find((object) => object.id === memdev)?.size ?? 0;
    const data = { id, memdev: `/objects/${memdev}`, slot: place.slot, node: 0, size, addr };
    addr += size;
    return [{ type: model, data: { ...data, hotplugged: true, hotpluggable: true } }];
  });
}

function characterDevices({ shape, machine }: Asked): JsonValue {
  const saysPath = shape.recording.version.qemu.major >= 8;
  return [
    ...machine.backEnds.chardevs.all.toReversed().map(({ id, path, isLost }) => ({
      label: id,
      filename: isLost ? `disconnected:unix:${path}` : saysPath ? `unix:${path}` : 'unix:',
      'frontend-open': machine.backEnds.chardevs.isBusy(id),
    })),
    { label: 'compat_monitor0', filename: 'unix:', 'frontend-open': true },
  ];
}

/** A node, then what is below it; the newest first. */
function nodesOf(node: Node): JsonObject[] {
  return [
    {
      'node-name': node.name,
      drv: node.format,
      ro: node.readOnly,
      file: node.filename ?? node.below[0]?.filename ?? '',
    },
    ...node.below.flatMap(nodesOf),
  ];
}

const disks = /^(virtio-blk-(pci|ccw)|scsi-hd)$/;

function blockStats({ devices }: SimulatedMachine): JsonValue {
  return devices
    .filter(({ model }) => disks.test(model))
    .map(({ id, model, evidence, arguments: args }) => ({
      device: '',
      'node-name': textOf(args, 'drive'),
      qdev: model === 'scsi-hd' ? id : `/machine/peripheral/${id}/virtio-backend`,
      stats: { rd_operations: evidence === 'live' ? 1 : 0 },
    }));
}

const statuses = [
  'VIRTIO_CONFIG_S_ACKNOWLEDGE: Valid virtio device found',
  'VIRTIO_CONFIG_S_DRIVER: Guest OS compatible with device',
  'VIRTIO_CONFIG_S_FEATURES_OK: Feature negotiation complete',
  'VIRTIO_CONFIG_S_DRIVER_OK: Driver setup and ready',
];

function virtioStatus(path: string, { tree, machine, words }: Asked): JsonValue {
  const name = tree.virtioName(path);
  if (name === undefined) throw new Refusal(words.notVirtio(path));
  const id = path.split('/')[3] ?? '';
  const device = machine.device(id);
  const isLive = device === undefined || device.evidence === 'live';
  return { name, status: { statuses: isLive ? statuses : [] } };
}
