import type { DeviceInfo } from '../../api/device-info.ts';
import { FsTypeOption } from '../../api/device-type.ts';
import { VmplugError } from '../../api/errors.ts';

/** The highest major and minor number: dev_t of user space has 32 bits for each. */
const highestNumber = 2 ** 32 - 1;

/**
 * Refuses a request that cannot be of a device, before the host is asked.
 * @throws VmplugError `no-container-path`, `invalid-device-number`, `invalid-argument`
 */
export function checkRequest(info: DeviceInfo): void {
  for (const number of [info.Major, info.Minor]) {
    if (Number.isInteger(number) && number >= 0 && number <= highestNumber) continue;
    throw new VmplugError('invalid-device-number', {
      action: 'make a device of',
      subject: info.ContainerPath || info.HostPath,
      reason: `${info.Major}:${info.Minor} is no device number; both are whole numbers from 0 to ${highestNumber}`,
      hint: 'take the numbers of the node on the host, as stat(1) shows them',
    });
  }
  if (info.Pmem && info.HostPath === '') {
    throw new VmplugError('invalid-argument', {
      action: 'make an nvdimm of',
      subject: info.ContainerPath,
      reason: 'its HostPath is empty',
      hint: 'give the backing file in HostPath: that of an nvdimm is not looked up',
    });
  }
  if (!info.Pmem && info.ContainerPath === '') {
    throw new VmplugError('no-container-path', {
      action: 'make a device of',
      subject: info.HostPath || `${info.DevType} ${info.Major}:${info.Minor}`.trim(),
      reason: 'its ContainerPath is empty',
      hint: 'say where the container is to find it',
    });
  }
}

/**
 * What two requests for one host device have in common: the class of the node and its numbers
 * (W01), or, where it has none, its type and its path on the host (W02). Of an nvdimm it is its file: its
 * numbers are those of what the file lies on, which may have other files. `undefined` where neither is known.
 */
export function deviceKey(info: Readonly<DeviceInfo>): string | undefined {
  if (info.Pmem) return info.HostPath === '' ? undefined : `pmem=${info.HostPath}`;
  const nodeClass = info.DevType === 'u' ? 'c' : info.DevType;
  const hasNumbers = nodeClass !== 'p' && nodeClass !== '' && (info.Major !== 0 || info.Minor !== 0);
  if (hasNumbers) return `${nodeClass}:${info.Major}:${info.Minor}`;
  return info.HostPath === '' ? undefined : `${info.DevType}=${info.HostPath}`;
}

/**
 * Refuses a second request for a device that wants it otherwise than it is (W03). Where the
 * container finds it, and as whose, may differ.
 * @throws VmplugError `device-conflict`
 */
export function checkAgreement(holder: Readonly<DeviceInfo>, request: DeviceInfo): void {
  const differing = settings(holder, request).flatMap(([name, had, wanted]) =>
    had === wanted ? [] : [name],
  );
  if (differing.length === 0) return;
  const fields = differing.join(', ');
  throw new VmplugError('device-conflict', {
    action: 'make a device of',
    subject: request.ContainerPath || request.HostPath,
    reason: `device ${holder.ID} is made of it already, with another ${fields}`,
    hint: `ask for it with the same ${fields}, or remove device ${holder.ID} first`,
    facts: { holder: holder.ID, fields },
  });
}

function settings(holder: Readonly<DeviceInfo>, request: DeviceInfo): [string, unknown, unknown][] {
  return [
    ['ReadOnly', holder.ReadOnly, request.ReadOnly],
    ['ColdPlug', holder.ColdPlug, request.ColdPlug],
    ['fstype', fsType(holder), fsType(request)],
  ];
}

function fsType(info: Readonly<DeviceInfo>): string | undefined {
  return info.DriverOptions?.[FsTypeOption];
}
