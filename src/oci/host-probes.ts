import { access, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { deviceNumber } from '../host/device-number.ts';
import { defaultHostPaths, type HostPaths } from '../host/host-paths.ts';
import { parseMountinfo, type Mount } from '../host/mountinfo.ts';
import { pmemDeviceInfo } from '../host/pmem/pmem-device-info.ts';
import type { VolumeProbe } from './block-volumes.ts';
import type { RootfsProbe } from './rootfs-device.ts';

/** Looks at the sources of mounts on this host. */
export function hostVolumeProbe(paths: HostPaths = defaultHostPaths): VolumeProbe {
  return {
    async stat(source) {
      const found = await stat(source, { bigint: true });
      return {
        node: found.isBlockDevice() ? deviceNumber(found.rdev) : undefined,
        device: deviceNumber(found.dev),
      };
    },
    pmemDeviceInfo: async (source, destination) => pmemDeviceInfo(source, destination, { paths }),
  };
}

/** Looks at what root file systems are mounted from on this host. */
export function hostRootfsProbe(paths: HostPaths = defaultHostPaths): RootfsProbe {
  return {
    async mountOf(path) {
      const mounts = parseMountinfo(await readFile(join(paths.proc, 'self/mountinfo'), 'utf8'));
      const mount = mountAbove(mounts, path);
      if (mount === undefined || !mount.source.startsWith('/')) return undefined;
      const node = await stat(mount.source, { bigint: true });
      if (!node.isBlockDevice()) return undefined;
      const device = deviceNumber(node.rdev);
      return {
        source: mount.source,
        fsType: mount.fileSystem,
        device,
        isDeviceMapper: await exists(join(paths.sys, 'dev/block', `${device.major}:${device.minor}`, 'dm')),
      };
    },
  };
}

/** The mount that `path` lies on: the deepest, and of several at one place the last, which hides the others. */
function mountAbove(mounts: readonly Mount[], path: string): Mount | undefined {
  return mounts
    .filter(({ mountPoint }) => mountPoint === '/' || `${path}/`.startsWith(`${mountPoint}/`))
    .reduce<Mount | undefined>(
      (deepest, mount) =>
        deepest === undefined || mount.mountPoint.length >= deepest.mountPoint.length ? mount : deepest,
      undefined,
    );
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
