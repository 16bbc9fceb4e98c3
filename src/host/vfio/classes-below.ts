import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { parseDeviceNumber, type DeviceNumber } from '../device-number.ts';
import type { HostPaths } from '../host-paths.ts';
import { attribute } from '../disk/block-device.ts';

export interface BlockBelow extends DeviceNumber {
  /** The kernel's name: `nvme0n1`. */
  readonly name: string;
}

/** The whole disks of a PCI function, whatever is between it and them. */
export function disksOf(functionDirectory: string, { sys }: HostPaths): BlockBelow[] {
  const names = [
    ...devicesBelow(functionDirectory, join(sys, 'block')),
    ...namespacesOf(functionDirectory, join(sys, 'class/nvme-subsystem')),
  ];
  return names.flatMap((name) => {
    // A hidden path of a disk that several controllers reach has no number.
    const number = parseDeviceNumber(attribute(join(sys, 'block', name, 'dev')) ?? '');
    return number === undefined ? [] : [{ name, ...number }];
  });
}

/** The network interfaces of a PCI function, in this network namespace. */
export function interfacesOf(functionDirectory: string, { sys }: HostPaths): string[] {
  return devicesBelow(functionDirectory, join(sys, 'class/net'));
}

/** The names in a class directory whose devices lie below a directory in sysfs. */
function devicesBelow(directory: string, classDirectory: string): string[] {
  return namesIn(classDirectory).filter((name) => {
    try {
      return realpathSync.native(join(classDirectory, name)).startsWith(`${directory}/`);
    } catch {
      // Gone since.
      return false;
    }
  });
}

/**
 * With multipath on, the namespaces of an NVMe controller lie below its subsystem and not below it
 * (Linux, Documentation/admin-guide/nvme-multipath.rst).
 */
function namespacesOf(functionDirectory: string, subsystems: string): string[] {
  const controllers = namesIn(join(functionDirectory, 'nvme'));
  return namesIn(subsystems)
    .map((name) => join(subsystems, name))
    .filter((subsystem) => controllers.some((controller) => existsSync(join(subsystem, controller))))
    .flatMap((subsystem) => namesIn(subsystem).filter((name) => /^nvme\d+n\d+$/.test(name)));
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
