import type { DeviceInfo } from '../../api/device-info.ts';

/** A copy of a request that shares nothing with it, without what a request doesn't have. */
export function copyInfo(info: DeviceInfo): DeviceInfo {
  return {
    HostPath: info.HostPath,
    ContainerPath: info.ContainerPath,
    DevType: info.DevType,
    Major: info.Major,
    Minor: info.Minor,
    Pmem: info.Pmem,
    ReadOnly: info.ReadOnly,
    ColdPlug: info.ColdPlug,
    FileMode: info.FileMode,
    UID: info.UID,
    GID: info.GID,
    ID: info.ID,
    DriverOptions: info.DriverOptions === null ? null : { ...info.DriverOptions },
  };
}
