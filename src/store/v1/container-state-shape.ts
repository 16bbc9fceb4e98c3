import type { ContainerState, DeviceMap, MountState } from './documents.ts';
import { fields, flag, int, invalid, isNone, list, text, u32, type Shape } from './shape.ts';

/** The document of one container. */
export const containerState: Shape<ContainerState> = (value, where) => {
  const { get } = fields(value, where);
  return {
    State: get('State', text),
    Rootfs: get('Rootfs', rootfs),
    CgroupPath: get('CgroupPath', text),
    DeviceMaps: get('DeviceMaps', list(deviceMap)),
    Mounts: get('Mounts', list(mount)),
    Process: get('Process', containerProcess),
    BundlePath: get('BundlePath', text),
  };
};

const rootfs: Shape<ContainerState['Rootfs']> = (value, where) => {
  const { get } = fields(value, where);
  return { BlockDeviceID: get('BlockDeviceID', text), FsType: get('FsType', text) };
};

const deviceMap: Shape<DeviceMap> = (value, where) => {
  const { get } = fields(value, where);
  return {
    ID: get('ID', text),
    ContainerPath: get('ContainerPath', text),
    FileMode: get('FileMode', u32),
    UID: get('UID', u32),
    GID: get('GID', u32),
  };
};

const mount: Shape<MountState> = (value, where) => {
  const { get } = fields(value, where);
  return {
    Source: get('Source', text),
    Destination: get('Destination', text),
    Type: get('Type', text),
    Options: get('Options', list(text)),
    HostPath: get('HostPath', text),
    ReadOnly: get('ReadOnly', flag),
    BlockDeviceID: get('BlockDeviceID', text),
  };
};

const containerProcess: Shape<ContainerState['Process']> = (value, where) => {
  const { get } = fields(value, where);
  return { Token: get('Token', text), Pid: get('Pid', int), StartTime: get('StartTime', time) };
};

/** Go's zero time, which is what v1 writes where it knows none. */
const zeroTime = '0001-01-01T00:00:00Z';
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** A time as Go writes it. Kept as text: a Date has no nanoseconds. */
const time: Shape<string> = (value, where) => {
  if (isNone(value)) return zeroTime;
  const read = text(value, where);
  if (!rfc3339.test(read) || !isTime(read)) throw invalid(where, 'it is not a time as of RFC 3339');
  return read;
};

/** Whether there is such a day and hour: `Date` makes March of the 30th of February, and a day of hour 24. */
function isTime(read: string): boolean {
  const local = read.slice(0, '2006-01-02T15:04:05'.length);
  return !Number.isNaN(Date.parse(read)) && new Date(`${local}Z`).toISOString().startsWith(local);
}
