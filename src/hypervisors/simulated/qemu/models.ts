import type { JsonObject, JsonValue } from '../../../api/json.ts';
import { isObject } from './parse-request.ts';
import type { RecordedModel, RecordedQemu } from './recorded-qemu.ts';

/** PCI's numbers of the models that are not recorded, because they take more than a QEMU. */
const pciIds: Readonly<Record<string, { class: number; desc: string; vendor: number; device: number }>> = {
  'vhost-user-blk-pci': { class: 256, desc: 'SCSI controller', vendor: 6900, device: 4097 },
  'vhost-user-scsi-pci': { class: 256, desc: 'SCSI controller', vendor: 6900, device: 4100 },
  'vhost-user-fs-pci': { class: 384, desc: 'Storage controller', vendor: 6900, device: 4186 },
  'vfio-pci': { class: 264, desc: '', vendor: 6966, device: 16 },
};

const virtioNames: Readonly<Record<string, string>> = {
  'vhost-user-blk-pci': 'vhost-user-blk',
  'vhost-user-scsi-pci': 'virtio-scsi',
  'vhost-user-fs-pci': 'vhost-user-fs',
};

const plain: RecordedModel = { objects: { '': { has: ['type: string'], values: {} } } };

/**
 * What a model has in that QEMU. One that was not recorded is made after `virtio-blk-pci` where it
 * sits on PCI, and has nothing but a type otherwise.
 */
export function modelOf(recording: RecordedQemu, model: string): RecordedModel {
  const recorded = recording.models[model];
  if (recorded !== undefined) return recorded;
  const disk = recording.models['virtio-blk-pci'];
  if (!model.endsWith('-pci') || disk === undefined) return withType(plain, model);
  const virtio = virtioNames[model];
  const { virtio: _, pci, objects } = disk;
  const inner = objects['/virtio-backend'];
  const { has, values } = objects[''] ?? { has: [], values: {} };
  const made = {
    objects: {
      '': {
        has: [
          ...has.filter((line) => !line.startsWith('virtio-backend')),
          ...(virtio === undefined ? [] : [`virtio-backend: child<${virtio}>`]),
        ],
        values,
      },
      ...(virtio === undefined || inner === undefined ? {} : { '/virtio-backend': inner }),
    },
    ...(pci === undefined ? {} : { pci: { ...pci, ...numbersOf(model) } }),
    ...(virtio === undefined ? {} : { virtio }),
  };
  return withType(made, model);
}

const redHat = 6900;
const firstModern = 0x1040;
/** Virtio's own numbers, by those of PCI for a device that old guests may drive too. */
const virtioIds: ReadonlyMap<JsonValue, number> = new Map([
  [0x1000, 1],
  [0x1001, 2],
  [0x1004, 8],
]);

/** What `query-pci` says of a device on a port: one of virtio is for guests of today only there. */
export function onPort(pci: JsonObject): JsonObject {
  const { id, regions } = pci;
  if (!isObject(id) || id['vendor'] !== redHat || !Array.isArray(regions)) return pci;
  const device = id['device'] ?? 0;
  const virtio = virtioIds.get(device);
  return {
    ...pci,
    id: { ...id, device: virtio === undefined ? device : firstModern + virtio },
    regions: regions.filter((region: JsonObject) => region['type'] !== 'io'),
  };
}

function withType(model: RecordedModel, type: string): RecordedModel {
  const own = model.objects[''] ?? { has: [], values: {} };
  return {
    ...model,
    objects: { ...model.objects, '': { ...own, values: { ...own.values, type } } },
  };
}

function numbersOf(model: string): JsonObject {
  const ids = pciIds[model];
  if (ids === undefined) return {};
  return {
    class_info: { class: ids.class, ...(ids.desc === '' ? {} : { desc: ids.desc }) },
    id: { vendor: ids.vendor, device: ids.device },
  };
}
