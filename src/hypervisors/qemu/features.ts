import type { z } from 'zod';
import type { schemaReply } from './replies.ts';

type Schema = z.infer<typeof schemaReply>;

/** Commands that are asked for by name. */
const commands = ['x-query-virtio-status', 'blockdev-add', 'query-named-block-nodes'];

const diskProperties = ['share-rw', 'serial', 'write-cache'];

/** Device models that can be plugged, and their properties that not every QEMU has. */
const deviceModels: Readonly<Record<string, readonly string[]>> = {
  'virtio-blk-pci': diskProperties,
  'virtio-blk-ccw': diskProperties,
  'scsi-hd': diskProperties,
  'virtio-scsi-pci': [],
  'virtio-net-pci': [],
  nvdimm: ['unarmed'],
  'vfio-pci': [],
  'vfio-ap': [],
  'vhost-user-blk-pci': [],
  'vhost-user-scsi-pci': [],
  'vhost-user-fs-pci': ['cache-size'],
};

/** The models whose properties are asked for. */
export const modelsWithProperties: readonly string[] = Object.entries(deviceModels)
  .filter(([, properties]) => properties.length > 0)
  .map(([model]) => model);

/**
 * Reads what a QEMU can do off its own description: `command:NAME`, `event:NAME`,
 * `aio:NAME` and `format:NAME` from `query-qmp-schema`, `device:NAME` from the device types.
 * Pure.
 */
export function featuresOf(schema: Schema, deviceTypes: readonly string[]): string[] {
  const has = (metaType: string, name: string): boolean =>
    schema.some((entry) => entry['meta-type'] === metaType && entry.name === name);
  const enumerations = schema.filter((entry) => entry['meta-type'] === 'enum');
  const valuesWith = (...members: string[]): readonly string[] =>
    enumerations.find((entry) => members.every((member) => entry.values?.includes(member)))?.values ?? [];
  // Type names in the schema are masked, so the two enumerations are told by members that only they have.
  const aio = valuesWith('threads', 'native');
  const drivers = valuesWith('host_device', 'qcow2', 'raw');
  return [
    ...commands.filter((name) => has('command', name)).map((name) => `command:${name}`),
    ...['DEVICE_DELETED', 'DEVICE_UNPLUG_GUEST_ERROR']
      .filter((name) => has('event', name))
      .map((name) => `event:${name}`),
    ...aio.map((name) => `aio:${name}`),
    ...['raw', 'qcow2'].filter((name) => drivers.includes(name)).map((name) => `format:${name}`),
    ...Object.keys(deviceModels)
      .filter((name) => deviceTypes.includes(name))
      .map((name) => `device:${name}`),
  ];
}

/** `property:MODEL.NAME` for the wanted ones of the properties that a model has. Pure. */
export function propertyFeatures(model: string, properties: readonly string[]): string[] {
  return (deviceModels[model] ?? [])
    .filter((name) => properties.includes(name))
    .map((name) => `property:${model}.${name}`);
}
