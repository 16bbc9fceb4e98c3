import type { BlockDrive, VFIODev, VhostUserDeviceAttrs } from '../../api/device-info.ts';
import type {
  BlockDriveState,
  PciPathState,
  VFIODevState,
  VhostUserDeviceAttrsState,
} from '../../api/device-state.ts';
import type { PciPath } from '../../api/pci-path.ts';

/** A drive in v1's saved form. */
export function savedDrive(drive: BlockDrive): BlockDriveState {
  return {
    File: drive.File,
    Format: drive.Format,
    ID: drive.ID,
    Index: drive.Index,
    MmioAddr: drive.MmioAddr,
    PCIPath: savedPciPath(drive.PCIPath),
    SCSIAddr: drive.SCSIAddr,
    NvdimmID: drive.NvdimmID,
    VirtPath: drive.VirtPath,
    DevNo: drive.DevNo,
    Pmem: drive.Pmem,
  };
}

/** A member of a group in v1's saved form. */
export function savedMember({ ID, Type, BDF, SysfsDev }: VFIODev): VFIODevState {
  return { ID, Type, BDF, SysfsDev };
}

/** The attributes of a vhost-user device in v1's saved form. */
export function savedVhostUser(attrs: VhostUserDeviceAttrs): VhostUserDeviceAttrsState {
  return {
    DevID: attrs.DevID,
    SocketPath: attrs.SocketPath,
    Type: attrs.Type,
    MacAddress: attrs.MacAddress,
    PCIPath: savedPciPath(attrs.PCIPath),
    Index: attrs.Index,
  };
}

/** `{}`, as v1 writes it, where there is no path; otherwise its text, which v1 loses (W94). */
function savedPciPath(path: PciPath): PciPathState {
  return path.isNil() ? {} : path.toString();
}
