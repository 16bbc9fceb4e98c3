import { existsSync, readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { HostHooks } from '../../api/config.ts';
import { VFIODeviceAPType } from '../../api/device-info.ts';
import { attribute } from '../disk/block-device.ts';
import { mediatedDriverHint, vfioError } from './vfio-errors.ts';
import { isBridge, mediatedTypeOf } from './vfio-function.ts';

/**
 * The number of the IOMMU group of the PCI function in this sysfs directory.
 * @throws VmplugError `pci-device-not-found`, `source-unsuitable`; `no-iommu` when there is no group at all
 */
export function groupOfFunction(
  source: string,
  directory: string,
  { SysIOMMUPath }: Pick<HostHooks, 'SysIOMMUPath'>,
): string {
  if (!existsSync(directory)) {
    throw vfioError('pci-device-not-found', source, 'this host has no PCI device of that address', {
      hint: 'lspci -D lists them, with their domains',
    });
  }
  if (isBridge(attribute(join(directory, 'class')) ?? '')) {
    throw vfioError('source-unsuitable', source, 'it is a bridge, which stays with the host', {
      hint: 'plug a device behind it',
    });
  }
  if (!hasGroups(SysIOMMUPath)) {
    throw vfioError('no-iommu', source, 'this host has no IOMMU, or it is off: there are no IOMMU groups', {
      hint: 'turn the IOMMU on: VT-d or AMD-Vi in the firmware (BIOS), and intel_iommu=on on the command line of the kernel',
    });
  }
  return groupLink(source, directory, {
    reason: 'it is in no IOMMU group, although this host has some',
    hint: 'the IOMMU does not reach this device: lspci -vv and dmesg | grep -i iommu tell more',
  });
}

function hasGroups(path: string): boolean {
  try {
    return readdirSync(path).length > 0;
  } catch {
    return false;
  }
}

/**
 * The number of the IOMMU group of the mediated device in this sysfs directory.
 * @throws VmplugError `pci-device-not-found`, `source-unsuitable`
 */
export function groupOfMediated(source: string, by: 'mdev' | 'vfio-ap', directory: string): string {
  if (!existsSync(directory)) {
    throw vfioError('pci-device-not-found', source, 'this host has no mediated device of that UUID', {
      hint: 'make it first: write the UUID to mdev_supported_types/*/create of its parent',
    });
  }
  if (by === 'vfio-ap' && mediatedTypeOf(realpathSync.native(directory)) !== VFIODeviceAPType) {
    throw vfioError('source-unsuitable', source, 'it is a mediated device, but none of the AP bus', {
      hint: `write mdev:${basename(directory)}`,
    });
  }
  return groupLink(source, directory, {
    reason: 'it is in no IOMMU group, because no driver has taken it',
    hint: mediatedDriverHint(basename(directory)),
  });
}

function groupLink(source: string, directory: string, without: { reason: string; hint: string }): string {
  try {
    return basename(readlinkSync(join(directory, 'iommu_group')));
  } catch (cause) {
    throw vfioError('source-unsuitable', source, without.reason, { hint: without.hint, cause });
  }
}
