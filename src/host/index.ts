/** This host as devices see it: paths, IOMMU groups and their drivers, pmem files. */
export { bindDevicetoHost, bindDevicetoVFIO } from './vfio/bind-device.ts';
export { SystemDeviceHost } from './device-host.ts';
export { getHostPath } from './get-host-path.ts';
export { groupMembers } from './vfio/iommu-group.ts';
export { isVFIOLargeBarSpaceDevice } from './vfio/large-bar.ts';
export { hasPFNSignature } from './pmem/pmem-signature.ts';
export { pmemDeviceInfo } from './pmem/pmem-device-info.ts';
export { resolveVfioGroup } from './vfio/resolve-vfio.ts';
export { sysfsIo, type SysfsIo } from './vfio/sysfs-io.ts';
export { bindGroupToVfio, releaseGroup } from './vfio/vfio-binding.ts';
