import type { DeviceState } from '../../api/device-state.ts';
import type { JsonObject, JsonValue } from '../../api/json.ts';

/**
 * The documents of v1's `persist.json`, with its keys (`virtcontainers/persist/api`). A list or map that is
 * `null` is Go's nil, which v1 writes for "none".
 */
export interface SandboxState {
  /** 2 in the last v1. Kept as it was read; {@link currentPersistVersion} is written for 0. */
  readonly PersistVersion: number;
  /** `ready`, `running`, `paused`, `stopped`; empty before the sandbox was created. */
  readonly State: string;
  readonly GuestMemoryBlockSizeMB: number;
  readonly GuestMemoryHotplugProbe: boolean;
  /** The id of the sandbox: of the container that it was started for. */
  readonly SandboxContainer: string;
  readonly CgroupPath: string;
  readonly CgroupPaths: Readonly<Record<string, string>> | null;
  readonly Devices: readonly DeviceState[] | null;
  readonly HypervisorState: HypervisorState;
  readonly AgentState: { readonly ProxyPid: number; readonly URL: string };
  readonly Network: NetworkInfo;
  readonly Config: SandboxConfig;
}

/** The format of the last v1, and the newest that can be read. */
export const currentPersistVersion = 2;

export interface HypervisorState {
  readonly Pid: number;
  readonly Type: string;
  /** The block indexes in use, as decimal keys. Never `null`: v1 would crash on its first use. */
  readonly BlockIndexMap: BlockIndexMap;
  readonly UUID: string;
  readonly Bridges: readonly BridgeState[] | null;
  readonly HotpluggedVCPUs: readonly { readonly ID: string }[] | null;
  /** MiB */
  readonly HotpluggedMemory: number;
  readonly VirtiofsdPid: number;
  readonly HotplugVFIOOnRootBus: boolean;
  readonly PCIeRootPort: number;
  readonly APISocket: string;
}

type BlockIndexMap = Readonly<Record<string, Readonly<Record<string, never>>>>;

export interface BridgeState {
  /** Device ids by decimal slot. */
  readonly DeviceAddr: Readonly<Record<string, string>>;
  readonly Type: string;
  readonly ID: string;
  readonly Addr: number;
}

export interface NetworkInfo {
  readonly NetNsPath: string;
  readonly NetmonPID: number;
  readonly NetNsCreated: boolean;
  /** `Type` and one object of that type, kept as it was read. */
  readonly Endpoints: readonly JsonObject[] | null;
}

/** What is not named here is kept as it was read. */
export interface SandboxConfig extends JsonObject {
  readonly HypervisorType: string;
  readonly HypervisorConfig: JsonObject;
  readonly SandboxCgroupOnly: boolean;
  /** `ID`, `Annotations`, `RootFs`, and `Resources` with the names of the OCI spec. */
  readonly ContainerConfigs: readonly JsonObject[] | null;
  /** libcontainer's own form; the only key that v1 writes in lower case. */
  readonly cgroups: JsonValue;
}

export interface ContainerState {
  readonly State: string;
  readonly Rootfs: { readonly BlockDeviceID: string; readonly FsType: string };
  readonly CgroupPath: string;
  readonly DeviceMaps: readonly DeviceMap[] | null;
  readonly Mounts: readonly MountState[] | null;
  readonly Process: {
    readonly Token: string;
    readonly Pid: number;
    /** RFC 3339, nanoseconds kept. */
    readonly StartTime: string;
  };
  /** Never written by v1 (W99). */
  readonly BundlePath: string;
}

/** How a device of the sandbox is seen in a container. */
export interface DeviceMap {
  readonly ID: string;
  readonly ContainerPath: string;
  /** Go's mode bits, which are not `st_mode`. */
  readonly FileMode: number;
  readonly UID: number;
  readonly GID: number;
}

export interface MountState {
  readonly Source: string;
  readonly Destination: string;
  /** Never written by v1 (W99). */
  readonly Type: string;
  readonly Options: readonly string[] | null;
  readonly HostPath: string;
  readonly ReadOnly: boolean;
  readonly BlockDeviceID: string;
}

/** All that v1 keeps of one sandbox; containers by id. */
export interface SavedSandbox {
  readonly sandbox: SandboxState;
  readonly containers: Readonly<Record<string, ContainerState>>;
}
