import type { DeviceState, PciPathState } from '../../api/device-state.ts';
import { pciPathText } from './device-state-shape.ts';
import { currentPersistVersion, type ContainerState, type SandboxState } from './documents.ts';
import { printGoJson } from './go-json.ts';

/** What {@link printSandboxState} prints, as an object. */
export function sandboxDocument(state: SandboxState): object {
  return {
    ...state,
    // v1's rule: a state without a version gets the present one, any other is kept.
    PersistVersion: state.PersistVersion === 0 ? currentPersistVersion : state.PersistVersion,
    Devices: state.Devices?.map(deviceDocument) ?? state.Devices,
  };
}

/**
 * A sandbox's `persist.json` as v1 writes it, every key in it, and as v1 can load it.
 * @param indent spaces for each level, for people; v1 writes one line
 */
export function printSandboxState(state: SandboxState, indent?: number): string {
  return printGoJson(sandboxDocument(state), indent);
}

/** A container's `persist.json` as v1 writes it. */
export function printContainerState(state: ContainerState): string {
  return printGoJson(state);
}

function deviceDocument({ BlockDrive, VFIODevs, VhostUserDev, ...common }: DeviceState): object {
  return {
    ...common,
    ...(BlockDrive === undefined ? {} : { BlockDrive: withPciPath(BlockDrive) }),
    ...(VFIODevs === undefined || VFIODevs.length === 0 ? {} : { VFIODevs }),
    ...(VhostUserDev === undefined ? {} : { VhostUserDev: withPciPath(VhostUserDev) }),
  };
}

/** v1's decoder takes nothing but an object for a PCI path: the text goes beside it (W94). */
function withPciPath(payload: { readonly PCIPath: PciPathState }): object {
  const path = payload.PCIPath;
  return {
    ...payload,
    PCIPath: {},
    ...(typeof path === 'string' && path !== '' ? { [pciPathText]: path } : {}),
  };
}
