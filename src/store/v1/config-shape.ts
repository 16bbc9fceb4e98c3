import type { JsonObject } from '../../api/json.ts';
import type { SandboxConfig } from './documents.ts';
import { fields, flag, list, map, opaque, text, u32, type Shape } from './shape.ts';

/**
 * The settings that v1 keeps of a hypervisor (`virtcontainers/persist/api/config.go`), by type. Those that
 * another version of v1 added are kept as they are.
 */
const numbers = [
  'NumVCPUs',
  'DefaultMaxVCPUs',
  'MemorySize',
  'DefaultBridges',
  'Msize9p',
  'MemSlots',
  'MemOffset',
  'VirtioFSCacheSize',
  'PCIeRootPort',
];

const texts = [
  'KernelPath',
  'ImagePath',
  'InitrdPath',
  'FirmwarePath',
  'MachineAccelerators',
  'CPUFeatures',
  'HypervisorPath',
  'HypervisorCtlPath',
  'JailerPath',
  'BlockDeviceDriver',
  'HypervisorMachineType',
  'MemoryPath',
  'DevicesStatePath',
  'EntropySource',
  'SharedFS',
  'VirtioFSDaemon',
  'VirtioFSCache',
  'FileBackedMemRootDir',
  'VhostUserStorePath',
  'GuestHookPath',
  'VMid',
];

const lists = [
  'HypervisorPathList',
  'HypervisorCtlPathList',
  'JailerPathList',
  'VirtioFSDaemonList',
  'VirtioFSExtraArgs',
  'FileBackedMemRootList',
  'VhostUserStorePathList',
  'EnableAnnotations',
];

const flags = [
  'BlockDeviceCacheSet',
  'BlockDeviceCacheDirect',
  'BlockDeviceCacheNoflush',
  'DisableBlockDeviceUse',
  'EnableIOThreads',
  'Debug',
  'MemPrealloc',
  'HugePages',
  'VirtioMem',
  'Realtime',
  'Mlock',
  'DisableNestingChecks',
  'UseVSock',
  'DisableImageNvdimm',
  'HotplugVFIOOnRootBus',
  'BootToBeTemplate',
  'BootFromTemplate',
  'DisableVhostNet',
  'EnableVhostUserStore',
];

const hypervisorConfig: Shape<JsonObject> = (value, where) => {
  const { get, others } = fields(value, where);
  return {
    ...Object.fromEntries(numbers.map((name) => [name, get(name, u32)])),
    ...Object.fromEntries(texts.map((name) => [name, get(name, text)])),
    ...Object.fromEntries(lists.map((name) => [name, get(name, list(text))])),
    ...Object.fromEntries(flags.map((name) => [name, get(name, flag)])),
    ...others(),
  };
};

const containerConfig: Shape<JsonObject> = (value, where) => {
  const { get, others } = fields(value, where);
  return {
    ID: get('ID', text),
    Annotations: get('Annotations', map(text)),
    RootFs: get('RootFs', text),
    ...others(),
  };
};

/** `Config` of a sandbox. What has to do with devices is checked, all else is kept as it is. */
export const sandboxConfig: Shape<SandboxConfig> = (value, where) => {
  const { get, others } = fields(value, where);
  return {
    HypervisorType: get('HypervisorType', text),
    HypervisorConfig: get('HypervisorConfig', hypervisorConfig),
    SandboxCgroupOnly: get('SandboxCgroupOnly', flag),
    ContainerConfigs: get('ContainerConfigs', list(containerConfig)),
    cgroups: get('cgroups', opaque),
    ...others(),
  };
};
