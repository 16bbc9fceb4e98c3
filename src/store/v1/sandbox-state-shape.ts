import type { JsonObject } from '../../api/json.ts';
import { sandboxConfig } from './config-shape.ts';
import { deviceStates, highestBlockIndex } from './device-state-shape.ts';
import type { BridgeState, HypervisorState, NetworkInfo, SandboxState } from './documents.ts';
import { count, fields, flag, int, list, map, numberedMap, text, u32, type Shape } from './shape.ts';

/** The document of a sandbox, whatever version it says it has. */
export const sandboxState: Shape<SandboxState> = (value, where) => {
  const { get } = fields(value, where);
  return {
    PersistVersion: get('PersistVersion', count),
    State: get('State', text),
    GuestMemoryBlockSizeMB: get('GuestMemoryBlockSizeMB', u32),
    GuestMemoryHotplugProbe: get('GuestMemoryHotplugProbe', flag),
    SandboxContainer: get('SandboxContainer', text),
    CgroupPath: get('CgroupPath', text),
    CgroupPaths: get('CgroupPaths', map(text)),
    Devices: get('Devices', deviceStates),
    HypervisorState: get('HypervisorState', hypervisorState),
    AgentState: get('AgentState', agentState),
    Network: get('Network', networkInfo),
    Config: get('Config', sandboxConfig),
  };
};

const hypervisorState: Shape<HypervisorState> = (value, where) => {
  const { get } = fields(value, where);
  return {
    Pid: get('Pid', int),
    Type: get('Type', text),
    BlockIndexMap: get('BlockIndexMap', numberedMap(emptyObject, highestBlockIndex)),
    UUID: get('UUID', text),
    Bridges: get('Bridges', list(bridge)),
    HotpluggedVCPUs: get('HotpluggedVCPUs', list(cpu)),
    HotpluggedMemory: get('HotpluggedMemory', int),
    VirtiofsdPid: get('VirtiofsdPid', int),
    HotplugVFIOOnRootBus: get('HotplugVFIOOnRootBus', flag),
    PCIeRootPort: get('PCIeRootPort', int),
    APISocket: get('APISocket', text),
  };
};

/** Go's `struct{}`. */
const emptyObject: Shape<Record<string, never>> = (value, where) => {
  fields(value, where);
  return {};
};

const bridge: Shape<BridgeState> = (value, where) => {
  const { get } = fields(value, where);
  return {
    DeviceAddr: get('DeviceAddr', numberedMap(text, 2 ** 32 - 1)),
    Type: get('Type', text),
    ID: get('ID', text),
    Addr: get('Addr', int),
  };
};

const cpu: Shape<{ ID: string }> = (value, where) => ({ ID: fields(value, where).get('ID', text) });

const agentState: Shape<SandboxState['AgentState']> = (value, where) => {
  const { get } = fields(value, where);
  return { ProxyPid: get('ProxyPid', int), URL: get('URL', text) };
};

const networkInfo: Shape<NetworkInfo> = (value, where) => {
  const { get } = fields(value, where);
  return {
    NetNsPath: get('NetNsPath', text),
    NetmonPID: get('NetmonPID', int),
    NetNsCreated: get('NetNsCreated', flag),
    Endpoints: get('Endpoints', list(endpoint)),
  };
};

const endpoint: Shape<JsonObject> = (value, where) => {
  const { get, others } = fields(value, where);
  return { Type: get('Type', text), ...others() };
};
