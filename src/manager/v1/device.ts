import type { DevType, DeviceInfo } from '../../api/device-info.ts';
import type { DeviceState, PciPathState } from '../../api/device-state.ts';
import { DeviceBlock, DeviceVFIO, VhostUserBlk } from '../../api/device-type.ts';
import type { ManagedDeviceRecord } from '../../api/managed-device.ts';
import type { ContainerState, DeviceMap, MountState, SavedSandbox } from '../../store/v1/documents.ts';

/** A device of v1, with what its saved form lacks (contract section 3.7, W95). */
export interface RecoveredDevice {
  readonly record: ManagedDeviceRecord;
  /** Names of what v1 did not keep and nothing else tells; it has to be found again. */
  readonly lost: readonly string[];
}

/**
 * Makes the record of a device from its saved form, and from what the containers that use it say of it: they
 * have its path, owner and mode in the container, and mounts whether it is read-only.
 */
export function recoverDevice(state: DeviceState, containers: SavedSandbox['containers']): RecoveredDevice {
  const uses = usesOf(state.ID, Object.values(containers));
  const hostPath = state.BlockDrive?.File ?? state.VhostUserDev?.SocketPath ?? '';
  const containerPath = uses.maps[0]?.ContainerPath ?? uses.mounts[0]?.Destination ?? '';
  const readOnly = readOnlyOf(uses);
  const info: DeviceInfo = {
    HostPath: hostPath,
    ContainerPath: containerPath,
    DevType: devTypeOf(state.DevType),
    Major: state.Major,
    Minor: state.Minor,
    Pmem: state.BlockDrive?.Pmem ?? false,
    ReadOnly: readOnly ?? false,
    ColdPlug: state.ColdPlug,
    FileMode: uses.maps[0]?.FileMode ?? 0,
    UID: uses.maps[0]?.UID ?? 0,
    GID: uses.maps[0]?.GID ?? 0,
    ID: state.ID,
    DriverOptions: state.DriverOptions,
  };
  const isBlock = state.Type === DeviceBlock;
  return {
    record: {
      state,
      info,
      ...(isBlock && readOnly !== undefined ? { drive: { ReadOnly: readOnly, ShareRW: false } } : {}),
    },
    lost: [
      ...(hostPath === '' ? ['HostPath'] : []),
      ...(containerPath === '' ? ['ContainerPath'] : []),
      ...(uses.maps.length === 0 ? ['FileMode', 'UID', 'GID'] : []),
      ...(readOnly === undefined ? ['ReadOnly'] : []),
      ...lostOfPayload(state),
    ],
  };
}

interface Uses {
  readonly maps: readonly DeviceMap[];
  readonly mounts: readonly MountState[];
  readonly isRootfs: boolean;
}

function usesOf(id: string, containers: readonly ContainerState[]): Uses {
  return {
    maps: containers.flatMap(({ DeviceMaps }) => DeviceMaps ?? []).filter((use) => use.ID === id),
    mounts: containers.flatMap(({ Mounts }) => Mounts ?? []).filter((use) => use.BlockDeviceID === id),
    isRootfs: containers.some(({ Rootfs }) => Rootfs.BlockDeviceID === id),
  };
}

/** v1 asks for read-only disks for mounts alone; `undefined` where its uses disagree or say nothing. */
function readOnlyOf({ maps, mounts, isRootfs }: Uses): boolean | undefined {
  const said = new Set([
    ...mounts.map(({ ReadOnly }) => ReadOnly),
    ...(isRootfs || maps.length > 0 ? [false] : []),
  ]);
  return said.size === 1 ? said.has(true) : undefined;
}

function lostOfPayload(state: DeviceState): string[] {
  const isAttached = state.AttachCount > 0;
  if (state.Type === DeviceVFIO) return ['IsPCIe', 'Class', 'Bus', 'VendorID', 'DeviceID'];
  if (state.Type === DeviceBlock) {
    const onPci = state.BlockDrive?.VirtPath !== '' && isNoPath(state.BlockDrive?.PCIPath);
    return ['ShareRW', ...(isAttached && onPci ? ['PCIPath'] : [])];
  }
  if (state.VhostUserDev === undefined) return [];
  if (state.Type === VhostUserBlk) {
    return isAttached && isNoPath(state.VhostUserDev.PCIPath) ? ['PCIPath'] : [];
  }
  return ['Tag', 'CacheSize', 'Cache', 'PCIPath', 'Index'];
}

function isNoPath(path: PciPathState | undefined): boolean {
  return typeof path !== 'string' || path === '';
}

function devTypeOf(text: string): DevType {
  const known: readonly DevType[] = ['b', 'c', 'u', 'p'];
  return known.find((type) => type === text) ?? '';
}
