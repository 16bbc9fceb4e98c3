import {
  Nvdimm,
  VirtioBlock,
  VirtioBlockCCW,
  VirtioMmio,
  VirtioSCSI,
  type DeviceDriver,
} from '../api/device-type.ts';
import { VmplugError } from '../api/errors.ts';
import type { HostDisk } from '../api/host-device.ts';
import { vmmDeviceId } from '../api/names.ts';
import type { Place } from '../api/place.ts';
import type { JsonObject } from '../api/json.ts';
import { blockNodes, bypassesPageCache, writeCache } from './block-nodes.ts';
import { diskGuestAddress } from './disk-guest-address.ts';
import type { DeviceKind, KindRequest, PlanRequest } from './device-kind.ts';
import { placeArguments } from './place-arguments.ts';
import { plugStep } from './plug-step.ts';
import { requireFeatures } from './requirements.ts';

/** What the guest is shown: QEMU's device model, and the kind of place that it goes to. */
interface FrontEnd {
  readonly model: string;
  readonly transport: Place['transport'];
}

const frontEnds: Readonly<Partial<Record<DeviceDriver, FrontEnd>>> = {
  [VirtioBlock]: { model: 'virtio-blk-pci', transport: 'pci' },
  [VirtioSCSI]: { model: 'scsi-hd', transport: 'scsi' },
  [VirtioBlockCCW]: { model: 'virtio-blk-ccw', transport: 'ccw' },
};

const refusals: Readonly<Partial<Record<DeviceDriver, string>>> = {
  [VirtioMmio]: "QEMU's virtio-mmio buses take no device while the VM runs",
  [Nvdimm]: 'an nvdimm is memory, made from a pmem source and not from a disk',
};

/**
 * A disk in QEMU: its block nodes, then the device at its place (QMP `blockdev-add`,
 * `device_add`). The guest finds it by the serial that is planted.
 */
export const block: DeviceKind<HostDisk> = {
  needs(request) {
    const { transport } = frontEndOf(request);
    return { transport, count: 1, features: featuresFor(request) };
  },

  check(request, facts) {
    const { options } = request;
    const features = featuresFor(request);
    if (options.aio === 'native' && !bypassesPageCache(options)) {
      throw new VmplugError('invalid-argument', {
        action: 'plan the disk',
        subject: request.host.source,
        reason: 'aio=native works only past the page cache',
        hint: 'add --cache none or --cache directsync',
      });
    }
    requireFeatures(request, facts, features);
  },

  plan(request) {
    const vmmId = vmmDeviceId(request.id, request.generation);
    return {
      vmmId,
      steps: [
        {
          summary: 'open the image as a block node',
          run: { execute: 'blockdev-add', arguments: blockNodes(request.host, vmmId, request.options) },
          undo: { execute: 'blockdev-del', arguments: { 'node-name': vmmId } },
        },
        plugStep(vmmId, deviceArguments(request, vmmId)),
      ],
    };
  },

  guestAddress: ({ places, serial }) => diskGuestAddress(places[0], serial),
};

/** @throws VmplugError `unsupported` for a driver that QEMU cannot plug a disk as */
function frontEndOf({ driver, host }: KindRequest<HostDisk>): FrontEnd {
  const frontEnd = frontEnds[driver];
  if (frontEnd !== undefined) return frontEnd;
  throw new VmplugError('unsupported', {
    action: 'plan the disk',
    subject: host.source,
    reason: `as ${driver} it cannot be plugged: ${refusals[driver] ?? 'that is no driver of disks'}`,
    hint: `choose --driver ${Object.keys(frontEnds).join(' or --driver ')}`,
  });
}

function featuresFor(request: KindRequest<HostDisk>): string[] {
  const { host, options } = request;
  const { model } = frontEndOf(request);
  const formats = new Set(host.layers.map((layer) => layer.format));
  const properties = ['serial', 'share-rw', ...(options.cache === undefined ? [] : ['write-cache'])];
  return [
    `device:${model}`,
    ...properties.map((name) => `property:${model}.${name}`),
    ...[...formats].map((format) => `format:${format}`),
    ...(options.aio === undefined ? [] : [`aio:${options.aio}`]),
  ];
}

function deviceArguments(request: PlanRequest<HostDisk>, vmmId: string): JsonObject {
  const cache = writeCache(request.options);
  return {
    ...placeArguments(frontEndOf(request).model, request.places[0]),
    id: vmmId,
    drive: vmmId,
    serial: request.serial,
    'share-rw': request.host.shareRw,
    ...(cache === undefined ? {} : { 'write-cache': cache }),
  };
}
