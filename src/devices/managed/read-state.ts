import type { BlockDrive, DevType, VFIODev, VhostUserDeviceAttrs } from '../../api/device-info.ts';
import type { DeviceState } from '../../api/device-state.ts';
import {
  DeviceBlock,
  DeviceGeneric,
  DeviceVFIO,
  VhostUserBlk,
  VhostUserFS,
  VhostUserNet,
  VhostUserSCSI,
  type DeviceType,
} from '../../api/device-type.ts';
import { VmplugError } from '../../api/errors.ts';
import { mostCounted } from './attach-count.ts';
import { readDrive, readMember, readVhostUser } from './read-payload.ts';
import { invalidState, StateFields } from './state-fields.ts';

/** A saved device that was found to be one that could have been written. */
export interface ReadState {
  readonly ID: string;
  readonly RefCount: bigint;
  readonly AttachCount: bigint;
  readonly DevType: DevType;
  readonly Major: number;
  readonly Minor: number;
  readonly ColdPlug: boolean;
  readonly DriverOptions: Record<string, string> | null;
  readonly drive: BlockDrive | null;
  readonly members: VFIODev[];
  readonly attrs: VhostUserDeviceAttrs | null;
}

const devTypes: readonly DevType[] = ['b', 'c', 'u', 'p', ''];

const vhostUserTypes = [VhostUserBlk, VhostUserSCSI, VhostUserNet, VhostUserFS] as const;

/** Which payload each kind of device is saved with. */
const payloadKeys: Readonly<Record<DeviceType, 'BlockDrive' | 'VFIODevs' | 'VhostUserDev' | undefined>> = {
  [DeviceGeneric]: undefined,
  [DeviceBlock]: 'BlockDrive',
  [DeviceVFIO]: 'VFIODevs',
  [VhostUserBlk]: 'VhostUserDev',
  [VhostUserSCSI]: 'VhostUserDev',
  [VhostUserNet]: 'VhostUserDev',
  [VhostUserFS]: 'VhostUserDev',
};

/**
 * Reads the saved form of a device of kind `type`; shares nothing with it. As in v1 absent and
 * null mean empty, and keys that are not known are passed over.
 * @throws VmplugError `state-kind-mismatch` when the device or its payload is of another kind; `invalid-state`
 */
export function readDeviceState(state: DeviceState, type: DeviceType): ReadState {
  const fields = new StateFields(state, '', 'the state');
  const id = fields.text('ID');
  const named = new StateFields(state, id, '');
  if (id === '') throw invalidState(id, 'it has no ID');
  const found = named.text('Type');
  if (found !== type) throw kindMismatch(id, `it is saved as ${found}, and is loaded as ${type}`);
  for (const key of ['BlockDrive', 'VFIODevs', 'VhostUserDev']) {
    if (key !== payloadKeys[type] && !isEmpty(named.get(key))) {
      throw kindMismatch(id, `a ${type} device has no ${key}`);
    }
  }
  const drive = named.get('BlockDrive') ?? null;
  const attrs = named.get('VhostUserDev') ?? null;
  return {
    ID: id,
    RefCount: named.count('RefCount', mostCounted),
    AttachCount: named.count('AttachCount', mostCounted),
    DevType: named.oneOf('DevType', devTypes, ''),
    Major: named.whole('Major', Number.MIN_SAFE_INTEGER),
    Minor: named.whole('Minor', Number.MIN_SAFE_INTEGER),
    ColdPlug: named.flag('ColdPlug'),
    DriverOptions: named.texts('DriverOptions'),
    drive: drive === null ? null : readDrive(new StateFields(drive, id, 'BlockDrive')),
    members: readMembers(named, id),
    attrs: attrs === null ? null : readAttrs(new StateFields(attrs, id, 'VhostUserDev'), id, type),
  };
}

function readMembers(fields: StateFields, id: string): VFIODev[] {
  const given = fields.get('VFIODevs') ?? [];
  if (!Array.isArray(given)) return fields.refuse('VFIODevs', 'not a list');
  return given.map((each, index) => readMember(new StateFields(each, id, `VFIODevs[${index}]`)));
}

/** v1 leaves the type of a device that was never attached empty. */
function readAttrs(fields: StateFields, id: string, type: DeviceType): VhostUserDeviceAttrs {
  const found = fields.text('Type') || type;
  if (found !== type) throw kindMismatch(id, `VhostUserDev is of type ${found}, the device of type ${type}`);
  const known = vhostUserTypes.find((each) => each === type);
  if (known === undefined) throw kindMismatch(id, `a ${type} device has no VhostUserDev`);
  return readVhostUser(fields, known);
}

/** Go leaves out, or writes as null or [], what is empty. */
function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}

function kindMismatch(id: string, reason: string): VmplugError {
  return new VmplugError('state-kind-mismatch', {
    action: 'load the saved device',
    subject: id,
    reason,
    hint: 'nothing was loaded; mend or remove this entry of the saved state',
  });
}
