import type { DeviceState, PciPathState } from '../../api/device-state.ts';
import { slotText } from '../../api/place.ts';
import type { BridgeState } from '../../store/v1/documents.ts';

/**
 * A device's state with the PCI path that v1 lost (W94), where v1's bridges still tell it: they list their
 * slots by the id of the drive, and a path is the bridge's slot and then the slot on it (contract section 6.3).
 */
export function withPciPath(state: DeviceState, bridges: readonly BridgeState[]): DeviceState {
  const { BlockDrive, VhostUserDev } = state;
  if (state.AttachCount === 0) return state;
  return {
    ...state,
    ...(BlockDrive === undefined
      ? {}
      : { BlockDrive: { ...BlockDrive, PCIPath: pathOf(BlockDrive.ID, BlockDrive.PCIPath, bridges) } }),
    ...(VhostUserDev === undefined
      ? {}
      : {
          VhostUserDev: {
            ...VhostUserDev,
            PCIPath: pathOf(VhostUserDev.DevID, VhostUserDev.PCIPath, bridges),
          },
        }),
  };
}

function pathOf(id: string, known: PciPathState, bridges: readonly BridgeState[]): PciPathState {
  if (typeof known === 'string' || id === '') return known;
  const paths = bridges
    .filter(({ Type }) => Type === 'pci' || Type === 'pcie')
    .flatMap(({ Addr, DeviceAddr }) =>
      Object.entries(DeviceAddr)
        .filter(([, there]) => there === id)
        .map(([slot]) => [Addr, Number(slot)]),
    )
    .filter((slots) => slots.every((slot) => slot >= 0 && slot <= 31));
  const [path, ...others] = paths;
  return path === undefined || others.length > 0 ? known : path.map(slotText).join('/');
}
