import { containerDirectory } from './agent/agent-storage.ts';
import { blockRequest } from './block-request.ts';
import type { BlockRootfs } from './container.ts';
import type { Holdings } from './holdings.ts';
import type { DeviceNumber } from '../host/device-number.ts';

/** The device that a root file system is mounted from. */
export interface RootfsMount {
  /** Its block node. */
  readonly source: string;
  readonly fsType: string;
  readonly device: DeviceNumber;
  readonly isDeviceMapper: boolean;
}

export interface RootfsProbe {
  /** The mount that `path` lies on; `undefined` when it is not on a block device. */
  mountOf(path: string): Promise<RootfsMount | undefined>;
}

export const noBlockRootfs: BlockRootfs = Object.freeze({ BlockDeviceID: '', FsType: '' });

/**
 * Plugs the disk of a root file system, when it is a device-mapper one: other disks hold more
 * than the container's root (v1's `hotplugDrive`). The disk is held before it is attached, so
 * that giving back does not depend on what became of it (W49).
 * @throws what the probe and the manager throw
 */
export async function holdRootfs(
  holdings: Holdings,
  containerId: string,
  path: string,
  probe: RootfsProbe,
): Promise<BlockRootfs> {
  const mount = await probe.mountOf(path);
  if (mount === undefined || !mount.isDeviceMapper) return noBlockRootfs;
  const info = blockRequest(mount.source, containerDirectory(containerId), mount.device, false);
  const holding = await holdings.take('rootfs', info);
  await holdings.attach(holding);
  return { BlockDeviceID: holding.device.ID, FsType: mount.fsType };
}
