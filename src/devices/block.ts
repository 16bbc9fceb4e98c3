import type { DiskOptions } from '../api/attachment.ts';
import { VirtioBlock, VirtioSCSI, type BlockDriver } from '../api/device-type.ts';
import { VmplugError } from '../api/errors.ts';
import type { GuestAddress } from '../api/guest-address.ts';
import type { HostDisk } from '../api/host-device.ts';
import type { VmmFacts } from '../api/hypervisor.ts';
import type { JsonObject } from '../api/json.ts';
import { vmmDeviceId } from '../api/names.ts';
import { slotText, type Place } from '../api/place.ts';
import type { Plan } from '../api/plan.ts';
import { blockNodes, bypassesPageCache, writeCache } from './block-nodes.ts';

/** The block drivers that can be plugged into QEMU on this architecture, default first. */
const blockDrivers: readonly BlockDriver[] = [VirtioBlock, VirtioSCSI];

/** What a disk needs of the VMM: the kind of place, and the features that are asked for. */
export function blockNeeds(
  driver: BlockDriver,
  disk: HostDisk,
  options: DiskOptions,
): { transport: Place['transport']; features: string[] } {
  const formats = new Set(disk.layers.map((layer) => layer.format));
  const model = driver === VirtioSCSI ? 'scsi-hd' : 'virtio-blk-pci';
  const properties = ['serial', 'share-rw', ...(options.cache === undefined ? [] : ['write-cache'])];
  return {
    transport: driver === VirtioSCSI ? 'scsi' : 'pci',
    features: [
      `device:${model}`,
      ...properties.map((name) => `property:${model}.${name}`),
      ...[...formats].map((format) => `format:${format}`),
      ...(options.aio === undefined ? [] : [`aio:${options.aio}`]),
    ],
  };
}

/**
 * Refuses what cannot be planned, before anything is done.
 * @throws VmplugError `invalid-argument`, `unsupported`
 */
export function checkBlock(driver: BlockDriver, disk: HostDisk, options: DiskOptions, facts: VmmFacts): void {
  if (!blockDrivers.includes(driver)) {
    throw new VmplugError('unsupported', {
      action: 'plan the disk',
      subject: disk.source,
      reason: `the driver ${driver} cannot be plugged into ${facts.type} ${facts.version}`,
      hint: `choose --driver ${blockDrivers.join(' or --driver ')}`,
    });
  }
  if (options.aio === 'native' && !bypassesPageCache(options)) {
    throw new VmplugError('invalid-argument', {
      action: 'plan the disk',
      subject: disk.source,
      reason: 'aio=native works only past the page cache',
      hint: 'add --cache none or --cache directsync',
    });
  }
  for (const feature of blockNeeds(driver, disk, options).features) {
    if (facts.features.includes(feature)) continue;
    throw new VmplugError('unsupported', {
      action: 'plan the disk',
      subject: disk.source,
      reason: `this ${facts.type} ${facts.version} was built without ${feature}`,
      hint: feature.startsWith('aio:') ? 'choose another --aio, or leave it out' : 'use a VMM that has it',
      facts: { feature },
    });
  }
}

export interface BlockPlanRequest {
  readonly id: string;
  readonly generation: number;
  readonly serial: string;
  readonly disk: HostDisk;
  readonly options: DiskOptions;
  readonly place: Place;
}

/**
 * How a disk is attached to QEMU: its block nodes, then the device at its place
 * (QMP `blockdev-add`, `device_add`).
 */
export function planBlock(request: BlockPlanRequest): Plan {
  const vmmId = vmmDeviceId(request.id, request.generation);
  return {
    vmmId,
    steps: [
      {
        summary: 'open the image as a block node',
        run: { execute: 'blockdev-add', arguments: blockNodes(request.disk, vmmId, request.options) },
        undo: { execute: 'blockdev-del', arguments: { 'node-name': vmmId } },
      },
      {
        summary: 'plug the device',
        run: { execute: 'device_add', arguments: deviceArguments(request, vmmId) },
        undo: { execute: 'device_del', arguments: { id: vmmId } },
        undoIsRequest: true,
      },
    ],
  };
}

function deviceArguments(request: BlockPlanRequest, vmmId: string): JsonObject {
  const cache = writeCache(request.options);
  return {
    ...placeArguments(request.place),
    id: vmmId,
    drive: vmmId,
    serial: request.serial,
    'share-rw': request.disk.shareRw,
    ...(cache === undefined ? {} : { 'write-cache': cache }),
  };
}

/** The address is always given: QEMU 7.2 puts a second device on an occupied root port otherwise. */
function placeArguments(place: Place): JsonObject {
  switch (place.transport) {
    case 'pci':
      return { driver: 'virtio-blk-pci', bus: place.bus, addr: slotText(place.slot) };
    case 'scsi':
      return {
        driver: 'scsi-hd',
        bus: place.bus,
        channel: place.channel,
        'scsi-id': place.scsiId,
        lun: place.lun,
      };
  }
}

/** Where udev in the guest links a disk, by the serial that was planted. */
export function blockGuestAddress(place: Place, serial: string): GuestAddress {
  switch (place.transport) {
    case 'pci':
      return {
        serial,
        byId: `/dev/disk/by-id/virtio-${serial}`,
        pciPath: place.path.join('/'),
      };
    case 'scsi':
      return {
        serial,
        byId: `/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_${serial}`,
        scsi: `${place.channel}:${place.scsiId}:${place.lun}`,
      };
  }
}
