/** This host as devices see it: paths, IOMMU groups and their drivers, pmem files. */
export { bindDevicetoHost, bindDevicetoVFIO } from './bind-device.ts';
export { SystemDeviceHost } from './device-host.ts';
export { getHostPath } from './get-host-path.ts';
export { groupMembers } from './iommu-group.ts';
export { isVFIOLargeBarSpaceDevice } from './large-bar.ts';
export { hasPFNSignature } from './pmem-signature.ts';
export { pmemDeviceInfo } from './pmem-device-info.ts';
export { resolveVfioGroup } from './resolve-vfio.ts';
export { sysfsIo, type SysfsIo } from './sysfs-io.ts';
export { bindGroupToVfio, releaseGroup, type LeasedFunction, type VfioLease } from './vfio-binding.ts';
