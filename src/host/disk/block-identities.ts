import type { ClaimMode, HostIdentity } from '../../api/host-device.ts';
import { blockDevice, loopBacking, slavesOf, worldWideName, type BlockDevice } from './block-device.ts';
import { claimsOnPart, claimsOnWhole, mergeClaims } from '../claim-modes.ts';
import { blockKey, type DeviceNumber } from '../device-number.ts';
import type { HostPaths } from '../host-paths.ts';

/** A name of the storage that does not depend on the kernel's numbering, and where in it the device begins. */
interface StableName {
  key: string;
  offset: number;
}

/**
 * Everything that having the block device `number` in `mode` lays claim to, itself first: its
 * number, its WWN, the file or node behind a loop device, and a part of what it is a part of
 * (the disk of a partition, the slaves of a device-mapper or md device, down to the bottom).
 */
export function blockClaims(number: DeviceNumber, mode: ClaimMode, paths: HostPaths): HostIdentity[] {
  const claims: HostIdentity[] = [];
  const visited = new Set<string>();

  const visit = (at: DeviceNumber, claim: typeof claimsOnWhole): void => {
    const key = blockKey(at);
    if (visited.has(key)) return;
    visited.add(key);
    claims.push(...claim(key, mode));
    const device = blockDevice(at, paths);
    if (device === undefined) return;
    for (const name of stableNames(device, paths)) claims.push(...claim(name.key, mode));
    const backing = loopBacking(device)?.backing;
    if (backing?.kind === 'block') visit(backing.device, claim);
    if (device.partition !== undefined) visit(device.partition.disk, claimsOnPart);
    for (const slave of slavesOf(device)) visit(slave, claimsOnPart);
  };

  visit(number, claimsOnWhole);
  return mergeClaims(claims);
}

function stableNames(device: BlockDevice, paths: HostPaths): StableName[] {
  const { partition, size } = device;
  if (partition !== undefined) {
    const disk = blockDevice(partition.disk, paths);
    // The same stretch of the same storage, reached over another path or another loop device.
    return (disk === undefined ? [] : stableNames(disk, paths)).map((name) => {
      const offset = name.offset + partition.start;
      return { key: `${name.key}@${offset}+${size}`, offset };
    });
  }
  const names: StableName[] = [];
  const wwn = worldWideName(device);
  if (wwn !== undefined) names.push({ key: `wwn:${wwn}`, offset: 0 });
  const loop = loopBacking(device);
  if (loop?.backing.kind === 'file') names.push({ key: loop.backing.key, offset: loop.offset });
  return names;
}
