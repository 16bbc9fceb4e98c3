import type { BlockDrive, DevType, DeviceInfo } from '../../api/device-info.ts';
import type { DeviceState } from '../../api/device-state.ts';
import { DeviceBlock, DeviceVFIO, VhostUserBlk, VhostUserNet, VhostUserSCSI } from '../../api/device-type.ts';
import type { JsonValue } from '../../api/json.ts';
import { deviceLogger } from '../../api/logger.ts';
import { deviceState, isKnownType } from './device-state-shape.ts';
import { readGoJson } from './go-json.ts';
import {
  fields,
  flag,
  int,
  list,
  map,
  opaque,
  optional,
  text,
  u32,
  type Shape,
  type Where,
} from './shape.ts';

/** A device of the store before `persist.json`, which kept more of its request (contract section 5.8). */
interface LegacyDevice {
  readonly state: DeviceState;
  readonly info: DeviceInfo;
  readonly drive?: Pick<BlockDrive, 'ReadOnly' | 'ShareRW'>;
}

export interface LegacyDevices {
  readonly devices: readonly LegacyDevice[];
  /** Types of the entries that are of no known type. */
  readonly skipped: readonly string[];
}

/**
 * Reads `devices.json` of v1's older store: a list of `Type` and `Data`, the driver's own structure. Unlike in
 * v1 an entry of a type that is not known costs no other (W102), and those of vhost-user are read.
 * @throws VmplugError `invalid-state` with the JSON path of what is wrong in `facts.path`; `state-kind-mismatch`
 */
export function readLegacyDevices(bytes: Uint8Array, document: string): LegacyDevices {
  const entries = list(entry)(readGoJson(bytes, document), { document, path: '$' }) ?? [];
  const skipped = entries.filter(({ Type }) => !isKnownType(Type)).map(({ Type }) => Type);
  for (const type of skipped) deviceLogger().warn('skipped a device of an unknown type', { document, type });
  const known = entries.filter(({ Type }) => isKnownType(Type));
  return { devices: known.map(({ Type, read }) => read(Type)), skipped };
}

interface Entry {
  readonly Type: string;
  readonly read: (type: string) => LegacyDevice;
}

const entry: Shape<Entry> = (value, where) => {
  const { get } = fields(value, where);
  const data = get('Data', opaque);
  return {
    Type: get('Type', text),
    read: (type) => legacyDevice(type, data, { ...where, path: `${where.path}.Data` }),
  };
};

function legacyDevice(type: string, data: JsonValue, where: Where): LegacyDevice {
  const { get } = fields(data, where);
  const info = get('DeviceInfo', deviceInfo);
  const { ID, DevType, Major, Minor, ColdPlug, DriverOptions } = info;
  const state = deviceState(
    {
      ...{ ID, DevType, Major, Minor, ColdPlug, DriverOptions },
      Type: type,
      RefCount: get('RefCount', opaque),
      AttachCount: get('AttachCount', opaque),
      ...(get('ID', text) === '' ? {} : { ID: get('ID', text) }),
      ...payloadOf(type, data, where),
    },
    where,
  );
  const drive = get('BlockDrive', optional(driveExtras));
  return { state, info: { ...info, ID: state.ID }, ...(drive === undefined ? {} : { drive }) };
}

/** The payload under the key that it has in `persist.json`. */
function payloadOf(type: string, data: JsonValue, where: Where): Record<string, JsonValue> {
  const { get } = fields(data, where);
  if (type === DeviceBlock) return { BlockDrive: get('BlockDrive', opaque) };
  if (type === DeviceVFIO) return { VFIODevs: get('VfioDevs', opaque) };
  if (type === VhostUserBlk) return { VhostUserDev: get('VhostUserDeviceAttrs', opaque) };
  // Go flattens an embedded structure into the one that it is in.
  return type === VhostUserSCSI || type === VhostUserNet ? { VhostUserDev: data } : {};
}

const driveExtras: Shape<{ ReadOnly: boolean; ShareRW: boolean }> = (value, where) => {
  const { get } = fields(value, where);
  return { ReadOnly: get('ReadOnly', flag), ShareRW: get('ShareRW', flag) };
};

const stringMap: Shape<Record<string, string> | null> = map(text);

const deviceInfo: Shape<DeviceInfo> = (value, where) => {
  const { get } = fields(value, where);
  return {
    HostPath: get('HostPath', text),
    // v1 never wrote it.
    ContainerPath: '',
    DevType: get('DevType', devType),
    Major: get('Major', int),
    Minor: get('Minor', int),
    Pmem: get('Pmem', flag),
    ReadOnly: get('ReadOnly', flag),
    ColdPlug: get('ColdPlug', flag),
    FileMode: get('FileMode', u32),
    UID: get('UID', u32),
    GID: get('GID', u32),
    ID: get('ID', text),
    DriverOptions: get('DriverOptions', stringMap),
  };
};

const devTypes: readonly DevType[] = ['b', 'c', 'u', 'p'];
const devType: Shape<DevType> = (value, where) => {
  const read = text(value, where);
  return devTypes.find((type) => type === read) ?? '';
};
