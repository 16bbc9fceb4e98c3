import { type DevType, type DeviceInfo, emptyDeviceInfo } from '../api/device-info.ts';
import { VmplugError } from '../api/errors.ts';
import type { LinuxDevice } from './oci-spec.ts';

/**
 * The requests for the devices of an OCI runtime spec (`linux.devices`), in their order; v1's
 * `virtcontainers/pkg/oci/utils.go`. The host path is left for the manager to find.
 * @throws VmplugError `invalid-argument` that names the entry; then none is made
 */
export function deviceInfos(devices: readonly LinuxDevice[] = []): DeviceInfo[] {
  return devices.map((device, index) => deviceInfo(device, index));
}

function deviceInfo(device: LinuxDevice, index: number): DeviceInfo {
  return {
    ...emptyDeviceInfo,
    ContainerPath: containerPath(device, index),
    DevType: devType(device, index),
    Major: wholeNumber(device, index, 'major'),
    Minor: wholeNumber(device, index, 'minor'),
    FileMode: wholeNumber(device, index, 'fileMode'),
    UID: wholeNumber(device, index, 'uid'),
    GID: wholeNumber(device, index, 'gid'),
  };
}

function containerPath(device: LinuxDevice, index: number): string {
  const { path } = device;
  if (typeof path !== 'string' || path === '') throw invalid(device, index, 'it has no path');
  if (path.includes('\0')) throw invalid(device, index, 'its path has a NUL character');
  return path;
}

function devType(device: LinuxDevice, index: number): DevType {
  switch (device.type) {
    case 'b':
    case 'c':
    case 'u':
    case 'p':
      return device.type;
    default:
      throw invalid(
        device,
        index,
        `its type is ${JSON.stringify(device.type)}`,
        'a type is b (block), c or u (character) or p (FIFO)',
      );
  }
}

/** A field that may be left out: 0 then. */
function wholeNumber(
  device: LinuxDevice,
  index: number,
  field: 'major' | 'minor' | 'fileMode' | 'uid' | 'gid',
): number {
  const value = device[field] ?? 0;
  if (!Number.isSafeInteger(value) || value < 0) {
    throw invalid(device, index, `its ${field} is ${JSON.stringify(value)}`, 'give a whole number from 0');
  }
  return value;
}

function invalid(device: LinuxDevice, index: number, reason: string, hint?: string): VmplugError {
  const path = typeof device.path === 'string' ? device.path : '';
  return new VmplugError('invalid-argument', {
    action: 'read the device of the OCI spec',
    subject: `linux.devices[${index}]${path === '' ? '' : ` ${path}`}`,
    reason,
    hint: hint ?? 'give each device the path that it is to have in the container',
    facts: { index, path },
  });
}
