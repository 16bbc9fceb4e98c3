import type { Evidence } from '../../api/evidence.ts';
import type { JsonObject } from '../../api/json.ts';
import type { BackEnds } from './back-ends.ts';
import { textOf } from './device-arguments.ts';
import type { Hold } from './hold.ts';
import { Refusal } from './simulated-errors.ts';
import type { SimulatedPlace } from './simulated-places.ts';

/** A kind of device that can be plugged. */
export interface DeviceModel {
  readonly transport: SimulatedPlace['transport'];
  /** The strongest evidence that the VMM can give of it. */
  readonly best: Evidence;
  /**
   * Finds the back end that its arguments name.
   * @throws Refusal
   */
  readonly reserve: (args: JsonObject, backEnds: BackEnds) => Hold;
}

/** By QEMU's names of them. A property belongs to the virtio device inside, which QEMU's words name. */
export const deviceModels: ReadonlyMap<string, DeviceModel> = new Map<string, DeviceModel>([
  ['virtio-blk-pci', disk('pci', 'virtio-blk-device')],
  ['scsi-hd', disk('scsi', 'scsi-hd')],
  ['virtio-blk-ccw', disk('ccw', 'virtio-blk-device')],
  ['vhost-user-blk-pci', vhostUser('vhost-user-blk', 'chardev is mandatory')],
  ['vhost-user-scsi-pci', vhostUser('vhost-user-scsi', 'vhost-user-scsi: missing chardev')],
  ['vhost-user-fs-pci', { ...vhostUser('vhost-user-fs-device', 'missing chardev'), reserve: reserveFs }],
  [
    'virtio-net-pci',
    { transport: 'pci', best: 'live', reserve: (args, { netdevs }) => netdevs.reserve(args) },
  ],
  [
    'vfio-pci',
    { transport: 'pci', best: 'enumerated', reserve: (args, { functions }) => functions.reserve(args) },
  ],
  [
    'vfio-ap',
    {
      transport: 'ap',
      best: 'acknowledged',
      reserve: (args, { functions }) => functions.reserveMatrix(args),
    },
  ],
  [
    'nvdimm',
    { transport: 'memory', best: 'acknowledged', reserve: (args, { objects }) => objects.reserve(args) },
  ],
]);

function disk(transport: SimulatedPlace['transport'], inner: string): DeviceModel {
  return {
    transport,
    best: 'live',
    reserve: (args, { nodes }) => nodes.reserve(textOf(args, 'drive'), inner, args['share-rw'] === true),
  };
}

function vhostUser(inner: string, missing: string): DeviceModel {
  return {
    transport: 'pci',
    best: 'live',
    reserve: (args, { chardevs }) => chardevs.reserve(args, inner, missing),
  };
}

function reserveFs(args: JsonObject, { chardevs }: BackEnds): Hold {
  const hold = chardevs.reserve(args, 'vhost-user-fs-device', 'missing chardev');
  const tag = textOf(args, 'tag');
  return (device) => {
    if (args['chardev'] !== undefined && tag === '') throw new Refusal('missing tag property');
    if (Buffer.byteLength(tag) > 36) throw new Refusal('tag property must be 36 bytes or less');
    hold(device);
  };
}
