/**
 * The front end of OCI container runtimes: devices from an OCI spec, the life of a container's
 * devices, and what a Kata-style guest agent is told of them.
 */
export { agentDevice, type AgentOptions } from './agent/agent-device.ts';
export { agentDevices } from './agent/agent-devices.ts';
export { agentRequest, type AgentRequest, type AgentRequestInput } from './agent/agent-request.ts';
export { agentRootfs, agentVolume } from './agent/agent-storage.ts';
export type { Addresses } from './agent/disk-address.ts';
export type { AgentDevice, AgentDeviceType, AgentDiskType, AgentStorage } from './agent/messages.ts';
export { placeVolumes, type PlacedVolumes } from './agent/place-volumes.ts';
export type { Kata2Vfio } from './agent/vfio-device.ts';
export { addDevice } from './add-device.ts';
export { sharedMounts, type MountSource, type VolumeProbe } from './block-volumes.ts';
export { constrainDevices } from './constrain-devices.ts';
export { ContainerDevices } from './container-devices.ts';
export type { BlockRootfs, ContainerDevice, Mount, SavedContainerDevices } from './container.ts';
export { withDeviceCgroup, type DeviceCgroup } from './device-cgroup.ts';
export { deviceInfos } from './device-info.ts';
export { hostRootfsProbe, hostVolumeProbe } from './host-probes.ts';
export type { LargeBars } from './large-bars.ts';
export type { LinuxDevice, OciMount, OciSpec } from './oci-spec.ts';
export type { RootfsMount, RootfsProbe } from './rootfs-device.ts';
