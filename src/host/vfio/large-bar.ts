import { readdir, readFile } from 'node:fs/promises';
import type { HostHooks } from '../../api/config.ts';
import { VmplugError } from '../../api/errors.ts';
import { deviceLogger } from '../../api/logger.ts';
import { attribute } from '../disk/block-device.ts';
import { errnoOf } from '../source-errors.ts';
import { isBridge } from './vfio-function.ts';
import { isVFIO, vfioGroupNumber } from './vfio-path.ts';

const action = 'look for large BARs of';
const largest64bit = 0xffff_ffff_ffff_ffffn;
/** In bytes: a larger BAR is a large one. */
const largestOrdinary = 4n << 30n;

/**
 * v1's `IsVFIOLargeBarSpaceDevice` (contract 4.3): whether any PCI function of the IOMMU group has a
 * BAR of more than 4 GiB. v1 looked at the first function only, and by the container's path (W14).
 * Mediated devices are passed over, and bridges: what their windows take is not given to a guest.
 * False for a path that is not a VFIO group's.
 * @param hostPath `/dev/vfio/<group>`
 * @throws VmplugError `pci-device-not-found`, `source-unsuitable`
 */
export async function isVFIOLargeBarSpaceDevice(
  hostPath: string,
  hooks: Pick<HostHooks, 'SysIOMMUPath'>,
): Promise<boolean> {
  if (!isVFIO(hostPath)) return false;
  const group = vfioGroupNumber(hostPath);
  if (group === undefined)
    throw new VmplugError('source-unsuitable', {
      action,
      subject: hostPath,
      reason: 'its name is not the number of an IOMMU group',
      hint: 'give /dev/vfio/<number>',
    });
  const devices = `${hooks.SysIOMMUPath}/${group}/devices`;
  for (const name of await namesIn(devices)) {
    if (!isPciAddress(name)) {
      deviceLogger().warn('passed over while looking for large BARs: no PCI function', { group, name });
      continue;
    }
    if (isBridge(attribute(`${devices}/${name}/class`) ?? '')) continue;
    if (await isLargeBarSpace(`${devices}/${name}/resource`)) return true;
  }
  return false;
}

/**
 * v1's `isLargeBarSpace`: whether a PCI function's `resource` file (Linux,
 * Documentation/PCI/sysfs-pci.rst) has a line, `<first> <last> <flags>`, of more than 4 GiB. What is
 * not such a line counts for nothing.
 * @throws VmplugError `pci-device-not-found`, `source-unsuitable` when it cannot be read
 */
export async function isLargeBarSpace(file: string): Promise<boolean> {
  const text = await reading(file, () => readFile(file, 'utf8'));
  return text.split('\n').some((line) => {
    const [first, last] = line.trim().split(/\s+/).map(address);
    return first !== undefined && last !== undefined && last - first + 1n > largestOrdinary;
  });
}

function address(word: string): bigint | undefined {
  if (!/^(?:0x[0-9a-f]+|\d+)$/i.test(word)) return undefined;
  const value = BigInt(word);
  return value <= largest64bit ? value : undefined;
}

function isPciAddress(name: string): boolean {
  return /^[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/i.test(name);
}

async function namesIn(directory: string): Promise<string[]> {
  return (await reading(directory, () => readdir(directory))).sort();
}

async function reading<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const gone = errnoOf(error) === 'ENOENT';
    throw new VmplugError(gone ? 'pci-device-not-found' : 'source-unsuitable', {
      action,
      subject: path,
      reason: gone ? 'there is no such entry in sysfs' : 'it cannot be read',
      cause: error,
    });
  }
}
