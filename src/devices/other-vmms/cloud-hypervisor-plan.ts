import { VirtioBlock } from '../../api/device-type.ts';
import type { HostDisk, HostVfioGroup } from '../../api/host-device.ts';
import type { JsonObject } from '../../api/json.ts';
import type { Place } from '../../api/place.ts';
import type { AttachStep } from '../../api/plan.ts';
import { vmmDeviceId } from '../../api/names.ts';
import { bypassesPageCache } from '../block-nodes.ts';
import { virtioLink } from '../disk-guest-address.ts';
import { furtherUnits, groupUnits } from '../group-units.ts';
import { checkGroup } from '../vfio-check.ts';
import { refuseDisk, unpluggable, type VmmKind, type VmmKinds } from '../vmm-kinds.ts';

/**
 * A disk in Cloud Hypervisor (REST `vm.add-disk`). Its format is said, so that none is probed.
 * Where it is, only the reply knows (W86): a place merely counts.
 */
const block: VmmKind<HostDisk> = {
  check(request, facts) {
    const { aio, cache, discard } = request.options;
    const isUsualCache = ['none', 'writeback'].includes(cache ?? 'none');
    refuseDisk(request, facts, [
      [request.driver !== VirtioBlock, 'Cloud Hypervisor has virtio-blk only', 'choose --driver virtio-blk'],
      [!isUsualCache, `Cloud Hypervisor has no cache ${cache}`, 'choose none or writeback'],
      [(aio ?? discard) !== undefined, 'its API has neither aio nor discard', 'leave them out'],
      [request.host.shareRw, 'Cloud Hypervisor locks an image for one VM', 'leave --share-rw out'],
    ]);
  },
  plan(request) {
    const { host, options } = request;
    const vmmId = vmmDeviceId(request.id, request.generation);
    const disk = {
      path: host.layers[0].path,
      ...(host.readOnly ? { readonly: true } : {}),
      ...(bypassesPageCache(options) ? { direct: true } : {}),
      ...(host.layers.length > 1 ? { backing_files: true } : {}),
      image_type: host.layers[0].format === 'raw' ? 'Raw' : 'Qcow2',
      serial: request.serial,
    };
    return { vmmId, steps: [addStep('vm.add-disk', vmmId, request.places[0], disk, 'add the disk')] };
  },
  guestAddress: ({ serial }) => ({ serial, byId: virtioLink(serial) }),
};

/** An IOMMU group in Cloud Hypervisor (REST `vm.add-device`), each function by its folder in sysfs. */
const vfio: VmmKind<HostVfioGroup> = {
  check: (request) => checkGroup(request, ['vfio-pci']),
  plan(request) {
    const units = groupUnits(request);
    return {
      vmmId: units[0].vmmId,
      steps: units.map((unit) =>
        addStep('vm.add-device', unit.vmmId, unit.place, { path: unit.function.sysfsDev }, unit.summary),
      ),
      ...furtherUnits(units),
    };
  },
  guestAddress: () => ({}),
};

function addStep(execute: string, id: string, place: Place, device: JsonObject, summary: string): AttachStep {
  return {
    summary,
    run: { execute, arguments: { id, ...device, ...segmentOf(place) } },
    undo: { execute: 'vm.remove-device', arguments: { id } },
    undoIsRequest: true,
  };
}

/** `_segment2` is segment 2; the first one is the default. */
function segmentOf(place: Place): JsonObject {
  const segment = place.transport === 'pci' ? Number(place.bus.replace('_segment', '')) : 0;
  return segment === 0 ? {} : { pci_segment: segment };
}

export const cloudHypervisor: VmmKinds = {
  block,
  pmem: unpluggable('Cloud Hypervisor as it is driven here'),
  vfio,
  vhostUser: unpluggable('Cloud Hypervisor as it is driven here'),
};
