import type { DeviceManager } from '../../api/device-manager.ts';
import type { BlockDriver } from '../../api/device-type.ts';
import type { BlockRootfs, ContainerDevice, Mount } from '../container.ts';
import type { OciMount } from '../oci-spec.ts';
import type { AgentOptions } from './agent-device.ts';
import { agentDevices, deviceOf } from './agent-devices.ts';
import { agentRootfs, agentVolume, containerDirectory } from './agent-storage.ts';
import type { AgentDevice, AgentStorage } from './messages.ts';
import { placeVolumes } from './place-volumes.ts';

/** What a container has, at the time that the agent is asked to make it. */
export interface AgentRequestInput {
  readonly containerId: string;
  readonly manager: Pick<DeviceManager, 'getDeviceByID'>;
  /** What block devices are plugged as. */
  readonly driver: BlockDriver;
  /** Without the volumes. */
  readonly devices: readonly ContainerDevice[];
  /** Those with a `BlockDeviceID` are volumes on disks. */
  readonly mounts: readonly Mount[];
  readonly rootfs?: BlockRootfs | undefined;
  /** The mounts of the OCI spec. */
  readonly ociMounts: readonly OciMount[];
  /** Storages that are no devices of the manager's. */
  readonly ephemeral?: readonly AgentStorage[];
  readonly hugepages?: readonly AgentStorage[];
  readonly local?: readonly AgentStorage[];
  /** A fresh UUID on each call. */
  readonly newID: () => string;
  readonly options?: AgentOptions;
}

/** The parts of the agent's `CreateContainerRequest` that come of devices. */
export interface AgentRequest {
  readonly devices: readonly AgentDevice[];
  readonly storages: readonly AgentStorage[];
  /** The mounts of the OCI spec, the volumes' from where the agent mounts them. */
  readonly ociMounts: readonly OciMount[];
}

/**
 * What the agent is told of the devices and storages of a container, in v1's order: rootfs,
 * ephemeral, hugepages, local, volumes. Volumes are storages, never also devices.
 * @throws VmplugError `device-not-found`, `device-not-attached`, `guest-address-unknown`,
 * `unsupported`, `invalid-argument`
 */
export function agentRequest(input: AgentRequestInput): AgentRequest {
  const { manager, driver, options = {} } = input;
  const volumes = input.mounts
    .filter(({ BlockDeviceID }) => BlockDeviceID !== '')
    .map((mount) => {
      const device = deviceOf(manager, mount.BlockDeviceID, mount.Destination);
      return agentVolume(device.getDeviceInfo(), driver, mount, options);
    });
  const placed = placeVolumes(input.ociMounts, volumes, input.newID);
  return {
    devices: agentDevices(input.devices, manager, driver, options),
    storages: [
      ...rootfsStorage(input),
      ...(input.ephemeral ?? []),
      ...(input.hugepages ?? []),
      ...(input.local ?? []),
      ...placed.storages,
    ],
    ociMounts: placed.mounts,
  };
}

function rootfsStorage(input: AgentRequestInput): AgentStorage[] {
  const { manager, rootfs, containerId, driver, options } = input;
  if (rootfs === undefined || rootfs.BlockDeviceID === '') return [];
  const device = deviceOf(manager, rootfs.BlockDeviceID, containerDirectory(containerId));
  return [agentRootfs(device.getDeviceInfo(), driver, containerId, rootfs.FsType, options)];
}
