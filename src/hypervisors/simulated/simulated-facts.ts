import type { VmmFacts } from '../../api/hypervisor.ts';
import { deviceModels } from './device-models.ts';

const properties: Readonly<Record<string, readonly string[]>> = {
  'virtio-blk-pci': ['serial', 'share-rw', 'write-cache'],
  'scsi-hd': ['serial', 'share-rw', 'write-cache'],
  'virtio-blk-ccw': ['serial', 'share-rw', 'write-cache', 'devno'],
  nvdimm: ['memdev', 'slot', 'unarmed'],
  'vhost-user-blk-pci': ['chardev', 'num-queues'],
  'vhost-user-scsi-pci': ['chardev'],
  'vhost-user-fs-pci': ['chardev', 'tag', 'cache-size'],
  'virtio-net-pci': ['netdev', 'mac', 'vectors'],
  'vfio-pci': ['host', 'sysfsdev', 'romfile'],
  'vfio-ap': ['sysfsdev'],
};

/** What a simulated machine can do by default: everything that a plan may ask for. */
export const simulatedFacts: VmmFacts = {
  type: 'mock',
  version: '1.0.0',
  machine: 'simulated',
  features: [
    ...[...deviceModels.keys()].map((model) => `device:${model}`),
    ...Object.entries(properties).flatMap(([model, names]) =>
      names.map((name) => `property:${model}.${name}`),
    ),
    ...['format:raw', 'format:qcow2', 'aio:threads', 'aio:native'],
    ...['memory:shared', 'memory:nvdimm'],
  ],
};

/** The facts of a machine that lacks some features. */
export function factsWithout(...features: string[]): VmmFacts {
  return { ...simulatedFacts, features: simulatedFacts.features.filter((name) => !features.includes(name)) };
}
