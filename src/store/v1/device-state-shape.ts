import type {
  BlockDriveState,
  DeviceState,
  PciPathState,
  VFIODevState,
  VhostUserDeviceAttrsState,
} from '../../api/device-state.ts';
import {
  DeviceBlock,
  DeviceGeneric,
  DeviceVFIO,
  VhostUserBlk,
  VhostUserFS,
  VhostUserNet,
  VhostUserSCSI,
} from '../../api/device-type.ts';
import { VmplugError } from '../../api/errors.ts';
import { PciPath } from '../../api/pci-path.ts';
import {
  fields,
  flag,
  int,
  invalid,
  isNone,
  isObject,
  list,
  map,
  optional,
  text,
  smallNumber,
  u64,
  type Fields,
  type Shape,
  type Where,
} from './shape.ts';

/**
 * The key of our own beside `PCIPath`, in which the text form of a PCI path is kept: v1 writes every path as
 * `{}` and refuses anything else there, but takes no notice of keys that it does not know (W94).
 */
export const pciPathText = 'PCIPathText';

/** One element of `Devices`. */
export const deviceState: Shape<DeviceState> = (value, where) => {
  const { get } = fields(value, where);
  const drive = get('BlockDrive', optional(blockDrive));
  const members = get('VFIODevs', list(vfioDev)) ?? [];
  const attrs = get('VhostUserDev', optional(vhostUserDev));
  const device: DeviceState = {
    ID: get('ID', text),
    Type: get('Type', text),
    RefCount: get('RefCount', u64),
    AttachCount: get('AttachCount', u64),
    DevType: get('DevType', text),
    Major: get('Major', int),
    Minor: get('Minor', int),
    ColdPlug: get('ColdPlug', flag),
    DriverOptions: get('DriverOptions', stringMap),
    ...(get('HotPlugged', flag) ? { HotPlugged: true } : {}),
    ...(drive === undefined ? {} : { BlockDrive: drive }),
    ...(members.length === 0 ? {} : { VFIODevs: [...members] }),
    ...(attrs === undefined ? {} : { VhostUserDev: attrs }),
  };
  if (device.ID === '') throw invalid({ ...where, path: `${where.path}.ID` }, 'a device has an id');
  refuseOtherPayload(device, where);
  refuseOtherNode(device, where);
  return device;
};

/** The list of devices, in which no id is there twice. */
export const deviceStates: Shape<readonly DeviceState[] | null> = (value, where) => {
  const devices = list(deviceState)(value, where);
  const seen = new Map<string, number>();
  devices?.forEach(({ ID }, index) => {
    const before = seen.get(ID);
    if (before !== undefined) {
      const at = { ...where, path: `${where.path}[${index}].ID` };
      throw invalid(at, `it is the id of ${where.path}[${before}] too`);
    }
    seen.set(ID, index);
  });
  return devices;
};

/** The highest that v1 gives out (`virtcontainers/sandbox.go`). */
export const highestBlockIndex = 65_534;

/** -1 is the index of what takes none. */
const blockIndex = smallNumber(-1, highestBlockIndex);

/** v1 has none beyond mediated, 2; ours is that of AP, 3. */
const vfioDevType = smallNumber(0, 3);

const stringMap: Shape<Record<string, string> | null> = map(text);

const blockDrive: Shape<BlockDriveState> = (value, where) => {
  const members = fields(value, where);
  const { get } = members;
  return {
    File: get('File', text),
    Format: get('Format', text),
    ID: get('ID', text),
    Index: get('Index', blockIndex),
    MmioAddr: get('MmioAddr', text),
    PCIPath: pciPathOf(members),
    SCSIAddr: get('SCSIAddr', text),
    NvdimmID: get('NvdimmID', text),
    VirtPath: get('VirtPath', text),
    DevNo: get('DevNo', text),
    Pmem: get('Pmem', flag),
  };
};

const vfioDev: Shape<VFIODevState> = (value, where) => {
  const { get } = fields(value, where);
  return {
    ID: get('ID', text),
    Type: get('Type', vfioDevType),
    BDF: get('BDF', text),
    SysfsDev: get('SysfsDev', text),
  };
};

const vhostUserDev: Shape<VhostUserDeviceAttrsState> = (value, where) => {
  const members = fields(value, where);
  const { get } = members;
  return {
    DevID: get('DevID', text),
    SocketPath: get('SocketPath', text),
    Type: get('Type', text),
    MacAddress: get('MacAddress', text),
    PCIPath: pciPathOf(members),
    Index: get('Index', blockIndex),
  };
};

/** The text form where there is one, else v1's `{}`. */
function pciPathOf({ get }: Fields): PciPathState {
  const said = get(pciPathText, pciPath);
  const own = get('PCIPath', pciPath);
  return typeof own === 'string' ? own : said;
}

const pciPath: Shape<PciPathState> = (value, where) => {
  if (isNone(value) || isObject(value) || value === '') return {};
  const read = text(value, where);
  try {
    return PciPath.parse(read).toString();
  } catch (error) {
    throw invalid(where, error instanceof VmplugError ? error.message : String(error));
  }
};

type PayloadKey = 'BlockDrive' | 'VFIODevs' | 'VhostUserDev';

/** Which payload a device of each type carries; every one may be without it, before its first attach. */
const payloads: Readonly<Record<string, PayloadKey | undefined>> = {
  [DeviceGeneric]: undefined,
  [DeviceBlock]: 'BlockDrive',
  [DeviceVFIO]: 'VFIODevs',
  [VhostUserBlk]: 'VhostUserDev',
  [VhostUserSCSI]: 'VhostUserDev',
  [VhostUserNet]: 'VhostUserDev',
  [VhostUserFS]: 'VhostUserDev',
};

/** Whether vmplug knows devices of this type; v1 skips those that it does not know (4.6). */
export function isKnownType(type: string): boolean {
  return Object.hasOwn(payloads, type);
}

const nodeTypes: readonly string[] = ['b', 'c', 'u', 'p', ''];

function refuseOtherNode({ Type, DevType }: DeviceState, where: Where): void {
  if (!isKnownType(Type) || nodeTypes.includes(DevType)) return;
  throw invalid({ ...where, path: `${where.path}.DevType` }, `${DevType} is no type of a node: b, c, u or p`);
}

function refuseOtherPayload(device: DeviceState, where: Where): void {
  if (!isKnownType(device.Type)) return;
  const keys: PayloadKey[] = ['BlockDrive', 'VFIODevs', 'VhostUserDev'];
  const wrong = keys.find((key) => device[key] !== undefined && key !== payloads[device.Type]);
  if (wrong === undefined) return;
  throw invalid(
    { ...where, path: `${where.path}.${wrong}` },
    `a device of the type ${device.Type} has none`,
    'state-kind-mismatch',
  );
}
