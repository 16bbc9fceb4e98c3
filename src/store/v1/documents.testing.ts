import * as fc from 'fast-check';
import type { DeviceState, PciPathState } from '../../api/device-state.ts';
import type { JsonObject, JsonValue } from '../../api/json.ts';
import { parseExact } from '../../api/exact-json.ts';
import type { ContainerState, SandboxState } from './documents.ts';

/** Anything that v1 could have saved, and our own text form of PCI paths. */
const word = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' })).map((text) => text.toWellFormed());
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const int = fc.maxSafeInteger();
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
});
const words = fc.dictionary(fc.oneof(word, fc.constant('__proto__')), word);
const list = <T>(element: fc.Arbitrary<T>): fc.Arbitrary<T[] | null> =>
  fc.option(fc.array(element, { maxLength: 3 }));

/** Any JSON that a round trip leaves as it is, as it stands in members that are kept whole. */
const anyJson: fc.Arbitrary<JsonValue> = fc
  .json({ maxDepth: 3 })
  .map((text) => parseExact(text.replaceAll('-0', '0')));

const slot = fc.integer({ min: 0, max: 31 }).map((value) => value.toString(16).padStart(2, '0'));
const pciPath: fc.Arbitrary<PciPathState> = fc.oneof(
  fc.constant({}),
  fc.array(slot, { minLength: 1, maxLength: 3 }).map((slots) => slots.join('/')),
);

const common = fc.record({
  ID: fc.uuid(),
  RefCount: u64,
  AttachCount: u64,
  DevType: fc.constantFrom('', 'b', 'c', 'u', 'p'),
  Major: int,
  Minor: int,
  ColdPlug: fc.boolean(),
  DriverOptions: fc.option(words),
});

const drive = fc.record({
  File: word,
  Format: word,
  ID: word,
  Index: fc.integer({ min: -1, max: 65534 }),
  MmioAddr: word,
  PCIPath: pciPath,
  SCSIAddr: word,
  NvdimmID: word,
  VirtPath: word,
  DevNo: word,
  Pmem: fc.boolean(),
});

const vfioDev = fc.record({ ID: word, Type: fc.nat(3), BDF: word, SysfsDev: word });

const attrs = fc.record({
  DevID: word,
  SocketPath: word,
  Type: word,
  MacAddress: word,
  PCIPath: pciPath,
  Index: fc.integer({ min: -1, max: 65534 }),
});

/** The type and payload of a device; the payload is missing before the first attach. */
const typed: fc.Arbitrary<Partial<DeviceState> & { Type: string }> = fc.oneof(
  fc.constant({ Type: 'generic' }),
  fc.record({ Type: fc.constant('block'), BlockDrive: drive }, { requiredKeys: ['Type'] }),
  fc.record(
    { Type: fc.constant('vfio'), VFIODevs: fc.array(vfioDev, { minLength: 1, maxLength: 3 }) },
    { requiredKeys: ['Type'] },
  ),
  fc.record(
    {
      Type: fc.constantFrom('vhost-user-blk-pci', 'vhost-user-scsi-pci', 'virtio-net-pci'),
      VhostUserDev: attrs,
    },
    { requiredKeys: ['Type'] },
  ),
);

const device: fc.Arbitrary<DeviceState> = fc.tuple(common, typed).map(([own, more]) => ({ ...own, ...more }));

const numbered = <T>(most: number, value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.dictionary(fc.integer({ min: 0, max: most }).map(String), value);

const hypervisorState = fc.record({
  Pid: int,
  Type: fc.constantFrom('qemu', 'clh', 'firecracker', 'acrn', 'mock', ''),
  BlockIndexMap: numbered<Record<string, never>>(65534, fc.constant({})),
  UUID: word,
  Bridges: list(fc.record({ DeviceAddr: numbered(2 ** 32 - 1, word), Type: word, ID: word, Addr: int })),
  HotpluggedVCPUs: list(fc.record({ ID: word })),
  HotpluggedMemory: int,
  VirtiofsdPid: int,
  HotplugVFIOOnRootBus: fc.boolean(),
  PCIeRootPort: int,
  APISocket: word,
});

/** Members that no version of ours knows, such as those of other versions of v1. */
const unknown: fc.Arbitrary<JsonObject> = fc.dictionary(
  fc.constantFrom('ShmSize', 'NetworkConfig', 'Experimental', 'PCIeLazyAttachDelay', '__proto__'),
  fc.oneof(anyJson, u64),
);

const config = fc
  .tuple(
    fc.record({
      HypervisorType: word,
      HypervisorConfig: fc.constant<JsonObject>({}),
      SandboxCgroupOnly: fc.boolean(),
      ContainerConfigs: list(
        fc.record({ ID: word, Annotations: fc.option(words), RootFs: word, Resources: anyJson }),
      ),
      cgroups: anyJson,
    }),
    unknown,
  )
  .map(([own, more]) => ({ ...own, ...more }));

/** `HypervisorConfig` is empty: reading fills it up with zero values. */
export const anySandboxState: fc.Arbitrary<SandboxState> = fc.record({
  PersistVersion: fc.constantFrom(1, 2),
  State: fc.constantFrom('', 'ready', 'running', 'paused', 'stopped'),
  GuestMemoryBlockSizeMB: u32,
  GuestMemoryHotplugProbe: fc.boolean(),
  SandboxContainer: word,
  CgroupPath: word,
  CgroupPaths: fc.option(words),
  Devices: fc.option(fc.uniqueArray(device, { maxLength: 5, selector: ({ ID }) => ID })),
  HypervisorState: hypervisorState,
  AgentState: fc.record({ ProxyPid: int, URL: word }),
  Network: fc.record({
    NetNsPath: word,
    NetmonPID: int,
    NetNsCreated: fc.boolean(),
    Endpoints: list(fc.record({ Type: word, Veth: anyJson })),
  }),
  Config: config,
});

export const anyContainerState: fc.Arbitrary<ContainerState> = fc.record({
  State: word,
  Rootfs: fc.record({ BlockDeviceID: word, FsType: word }),
  CgroupPath: word,
  DeviceMaps: list(fc.record({ ID: word, ContainerPath: word, FileMode: u32, UID: u32, GID: u32 })),
  Mounts: list(
    fc.record({
      Source: word,
      Destination: word,
      Type: word,
      Options: list(word),
      HostPath: word,
      ReadOnly: fc.boolean(),
      BlockDeviceID: word,
    }),
  ),
  Process: fc.record({
    Token: word,
    Pid: int,
    StartTime: fc.constantFrom(
      '0001-01-01T00:00:00Z',
      '2021-05-04T03:02:01.123456789+02:00',
      '2021-05-04T03:02:01Z',
      '2020-02-29T23:59:59.5-09:30',
    ),
  }),
  BundlePath: word,
});

/** A document with a device of every kind, as v1 writes it. Tests change copies of it. */
export function richDocument(): Record<string, unknown> {
  return parseExact(rich) as Record<string, unknown>;
}

/** The text of {@link richDocument}, with numbers that a double cannot hold. */
export const rich = `{"PersistVersion":2,"State":"running","GuestMemoryBlockSizeMB":128,"GuestMemoryHotplugProbe":true,
"SandboxContainer":"sandbox-1","CgroupPath":"/kata/sandbox-1","CgroupPaths":{"devices":"/sys/fs/cgroup/devices/kata"},
"Devices":[
{"ID":"0000000000000001","Type":"block","RefCount":2,"AttachCount":2,"DevType":"b","Major":253,"Minor":4,"ColdPlug":false,
 "DriverOptions":{"block-driver":"virtio-blk"},"BlockDrive":{"File":"/dev/dm-4","Format":"raw","ID":"drive-0000000000000001",
 "Index":0,"MmioAddr":"","PCIPath":{},"SCSIAddr":"","NvdimmID":"","VirtPath":"/dev/vda","DevNo":"","Pmem":false}},
{"ID":"0000000000000002","Type":"block","RefCount":18446744073709551615,"AttachCount":9007199254740993,"DevType":"b","Major":7,"Minor":0,
 "ColdPlug":false,"DriverOptions":{"block-driver":"virtio-scsi"},"BlockDrive":{"File":"/srv/a&b<c>.img","Format":"raw",
 "ID":"drive-0000000000000002","Index":257,"MmioAddr":"","PCIPath":{},"SCSIAddr":"1:1","NvdimmID":"","VirtPath":"","DevNo":"","Pmem":false}},
{"ID":"0000000000000003","Type":"vfio","RefCount":1,"AttachCount":1,"DevType":"c","Major":243,"Minor":1,"ColdPlug":true,"DriverOptions":null,
 "VFIODevs":[{"ID":"vfio-00000000000000030","Type":1,"BDF":"3b:00.0","SysfsDev":"/sys/bus/pci/devices/0000:3b:00.0"},
 {"ID":"vfio-00000000000000031","Type":2,"BDF":"","SysfsDev":"/sys/devices/pci0000:00/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"}]},
{"ID":"0000000000000004","Type":"vhost-user-blk-pci","RefCount":1,"AttachCount":1,"DevType":"b","Major":241,"Minor":0,"ColdPlug":false,
 "DriverOptions":{"block-driver":"virtio-blk"},"VhostUserDev":{"DevID":"blk-0000000000000004","SocketPath":"/run/v.sock",
 "Type":"vhost-user-blk-pci","MacAddress":"","PCIPath":{},"Index":2}},
{"ID":"0000000000000005","Type":"virtio-net-pci","RefCount":1,"AttachCount":0,"DevType":"","Major":0,"Minor":0,"ColdPlug":false,
 "DriverOptions":{},"VhostUserDev":{"DevID":"","SocketPath":"/run/n.sock","Type":"","MacAddress":"52:54:00:12:34:56","PCIPath":{},"Index":0}},
{"ID":"0000000000000006","Type":"generic","RefCount":1,"AttachCount":1,"DevType":"c","Major":1,"Minor":3,"ColdPlug":false,"DriverOptions":null}],
"HypervisorState":{"Pid":0,"Type":"qemu","BlockIndexMap":{"0":{},"10":{},"2":{},"257":{}},"UUID":"u-1",
 "Bridges":[{"DeviceAddr":{"1":"drive-0000000000000001","7":"foreign"},"Type":"pci","ID":"pci-bridge-0","Addr":2}],
 "HotpluggedVCPUs":[{"ID":"cpu-1"}],"HotpluggedMemory":512,"VirtiofsdPid":77,"HotplugVFIOOnRootBus":true,"PCIeRootPort":2,"APISocket":""},
"AgentState":{"ProxyPid":5,"URL":"vsock://3:1024"},
"Network":{"NetNsPath":"/run/netns/x","NetmonPID":-1,"NetNsCreated":true,
 "Endpoints":[{"Type":"tuntap","Tuntap":{"TuntapInterface":{"Name":"t0","TAPIface":{"Name":"","HardAddr":"","Addrs":null}}}}]},
"Config":{"HypervisorType":"qemu","HypervisorConfig":{"NumVCPUs":4,"BlockDeviceDriver":"virtio-scsi","PCIeRootPort":2,"HypervisorMachineType":"q35",
 "VhostUserStorePathList":["/run/*"],"EnableIOThreads":true,"PCIeLazyAttachDelay":3},"ShmSize":18446744073709551615,"SandboxCgroupOnly":true,
 "ContainerConfigs":[{"ID":"c1","Annotations":{"a":"b"},"RootFs":"/r","Resources":{"memory":{"limit":9223372036854775807}}}],
 "NetworkConfig":{"InterworkingModel":2},"cgroups":{"path":"/k","blkio_weight":0.5}}}
`;

/** The document of a container that uses devices of {@link rich}. */
export const richContainer = `{"State":"running","Rootfs":{"BlockDeviceID":"0000000000000002","FsType":"xfs"},"CgroupPath":"/kata/c1",
"DeviceMaps":[{"ID":"0000000000000006","ContainerPath":"/dev/null0","FileMode":69206454,"UID":7,"GID":8}],
"Mounts":[{"Source":"/dev/dm-4","Destination":"/data","Type":"","Options":["rbind"],"HostPath":"","ReadOnly":true,
 "BlockDeviceID":"0000000000000001"}],
"Process":{"Token":"t","Pid":12,"StartTime":"2021-05-04T03:02:01.123456789Z"},"BundlePath":""}
`;
