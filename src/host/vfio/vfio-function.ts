import { realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { HostHooks } from '../../api/config.ts';
import type { GroupMember } from '../../api/device-host.ts';
import {
  VFIODeviceAPType,
  VFIODeviceErrorType,
  VFIODeviceMediatedType,
  VFIODeviceNormalType,
  type VFIODeviceType,
} from '../../api/device-info.ts';
import { deviceLogger } from '../../api/logger.ts';
import { attribute } from '../disk/block-device.ts';
import { formatPciAddress, parsePciAddress } from './pci-address.ts';
import { vfioError } from './vfio-errors.ts';

/** What a member of an IOMMU group is and where it is. */
export interface VfioDeviceDetails {
  type: VFIODeviceType;
  /** With its domain; empty for mediated devices. */
  BDF: string;
  sysfsDev: string;
}

/** PCI configuration space: 256 bytes, 4096 with PCIe's extension. */
const conventionalConfigSize = 256;

/**
 * v1's `getVFIODetails` (`virtcontainers/device/drivers/vfio.go`): `name` is the member's name
 * in `groupPath`, the group's `devices` directory.
 * @throws VmplugError `source-unsuitable` with the fact `type`, the type that the name has;
 * `invalid-argument` for three parts that are no PCI address
 */
export function vfioDeviceDetails(name: string, groupPath: string, hooks: HostHooks): VfioDeviceDetails {
  const type = typeByName(name);
  if (type === VFIODeviceNormalType) {
    const sysfsDev = join(hooks.SysBusPciDevicesPath, name);
    return { type, BDF: formatPciAddress(parsePciAddress(name)), sysfsDev };
  }
  if (type === VFIODeviceMediatedType) {
    const sysfsDev = realDirectory(name, groupPath);
    return { type: mediatedTypeOf(sysfsDev), BDF: '', sysfsDev };
  }
  throw vfioError('source-unsuitable', name, 'its name is neither a PCI address nor a UUID', {
    facts: { type },
  });
}

/** As the group's member is described to a VM. What sysfs doesn't say is empty, with a warning. */
export function describeMember(name: string, groupPath: string, hooks: HostHooks): GroupMember {
  const { type, BDF, sysfsDev } = vfioDeviceDetails(name, groupPath, hooks);
  const member = { Type: type, BDF, SysfsDev: sysfsDev };
  if (type !== VFIODeviceNormalType)
    return { ...member, IsPCIe: false, VendorID: '', DeviceID: '', Class: '' };
  return {
    ...member,
    IsPCIe: isPcie(sysfsDev),
    VendorID: firstLine(sysfsDev, 'vendor'),
    DeviceID: firstLine(sysfsDev, 'device'),
    Class: firstLine(sysfsDev, 'class'),
  };
}

/** Whether it is a mediated device of the AP bus: s390x crypto adapters, driver vfio_ap. */
export function mediatedTypeOf(realPath: string): VFIODeviceType {
  return realPath.includes('/vfio_ap/') ? VFIODeviceAPType : VFIODeviceMediatedType;
}

/** Whether a class code, `0x060400`, is that of a host bridge or of a PCI bridge. */
export function isBridge(classCode: string): boolean {
  return classCode.startsWith('0x0600') || classCode.startsWith('0x0604');
}

function typeByName(name: string): VFIODeviceType {
  if (name.split(':').length === 3) return VFIODeviceNormalType;
  if (name.split('-').length === 5) return VFIODeviceMediatedType;
  return VFIODeviceErrorType;
}

function realDirectory(name: string, groupPath: string): string {
  try {
    return realpathSync.native(join(groupPath, name));
  } catch (cause) {
    throw vfioError('source-unsuitable', name, 'its link in the IOMMU group leads nowhere', {
      cause,
      facts: { type: VFIODeviceMediatedType },
    });
  }
}

function isPcie(directory: string): boolean {
  try {
    return statSync(join(directory, 'config')).size > conventionalConfigSize;
  } catch {
    warnMissing(directory, 'config');
    return false;
  }
}

function firstLine(directory: string, name: string): string {
  const text = attribute(join(directory, name));
  if (text === undefined) warnMissing(directory, name);
  return text?.split('\n')[0] ?? '';
}

function warnMissing(directory: string, attribute: string): void {
  deviceLogger().warn('an attribute of a PCI function cannot be read', { directory, attribute });
}
