import { VFIODeviceNormalType } from '../api/device-info.ts';
import type { HostVfioGroup } from '../api/host-device.ts';
import type { JsonObject } from '../api/json.ts';
import type { DeviceKind } from './device-kind.ts';
import { furtherUnits, groupUnits, type GroupUnit } from './group-units.ts';
import { placeArguments } from './place-arguments.ts';
import { plugStep } from './plug-step.ts';
import { requireFeatures } from './requirements.ts';
import { checkGroup } from './vfio-check.ts';

/**
 * An IOMMU group in QEMU: one device for each of its functions, each at a place of its own, so
 * that the group moves whole or not at all (QMP `device_add` of `vfio-pci` or `vfio-ap`).
 */
export const vfio: DeviceKind<HostVfioGroup> = {
  needs: ({ driver, host }) => ({
    transport: driver === 'vfio-ap' ? 'ap' : 'pci',
    count: host.functions.length,
    features: [`device:${driver}`],
  }),

  check(request, facts) {
    checkGroup(request, ['vfio-pci', 'vfio-ap']);
    requireFeatures(request, facts, [`device:${request.driver}`]);
  },

  plan(request) {
    const units = groupUnits(request);
    return {
      vmmId: units[0].vmmId,
      steps: units.map((unit) => plugStep(unit.vmmId, deviceArguments(request.driver, unit), unit.summary)),
      ...furtherUnits(units),
    };
  },

  guestAddress({ places: [place] }) {
    return place.transport === 'pci' ? { pciPath: place.path.join('/') } : {};
  },
};

function deviceArguments(driver: string, { vmmId, place, function: given }: GroupUnit): JsonObject {
  return {
    ...placeArguments(driver, place),
    id: vmmId,
    // By its whole address: without the domain it could be another one's (W10).
    ...(given.type === VFIODeviceNormalType ? { host: given.address } : { sysfsdev: given.sysfsDev }),
    ...(driver === 'vfio-pci' ? { romfile: '' } : {}),
  };
}
