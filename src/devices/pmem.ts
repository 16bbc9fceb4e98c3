import type { HostPmem } from '../api/host-device.ts';
import { vmmDeviceId } from '../api/names.ts';
import type { DeviceKind, KindRequest } from './device-kind.ts';
import { placeArguments } from './place-arguments.ts';
import { plugStep } from './plug-step.ts';
import { refuseDiskOptions, requireFeatures } from './requirements.ts';

/**
 * A file or node of the host as an nvdimm in QEMU: a memory object on the file, then the device
 * in its slot (QMP `object-add`, `device_add`). What is written goes to the file, because the
 * object is shared.
 *
 * The guest's `/dev/pmem<n>` is not told from here: the guest numbers its regions itself, and
 * the VMM's slots count other memory too.
 */
export const pmem: DeviceKind<HostPmem> = {
  needs: (request) => ({ transport: 'memory', count: 1, features: featuresFor(request) }),

  check(request, facts) {
    refuseDiskOptions(request);
    requireFeatures(request, facts, featuresFor(request));
  },

  plan({ id, generation, host, places }) {
    const vmmId = vmmDeviceId(id, generation);
    return {
      vmmId,
      steps: [
        {
          summary: 'map the file as memory',
          run: {
            execute: 'object-add',
            arguments: {
              'qom-type': 'memory-backend-file',
              id: vmmId,
              'mem-path': host.path,
              size: host.size,
              share: true,
              ...(host.readOnly ? { readonly: true } : {}),
            },
          },
          undo: { execute: 'object-del', arguments: { id: vmmId } },
        },
        plugStep(vmmId, {
          ...placeArguments('nvdimm', places[0]),
          id: vmmId,
          memdev: vmmId,
          // Demanded of a device on read-only memory: the guest is told that writes don't last.
          ...(host.readOnly ? { unarmed: true } : {}),
        }),
      ],
      staysUntilVmEnds: 'QEMU cannot unplug an nvdimm',
    };
  },

  guestAddress: () => ({}),
};

function featuresFor({ host }: KindRequest<HostPmem>): string[] {
  return ['device:nvdimm', ...(host.readOnly ? ['property:nvdimm.unarmed'] : [])];
}
