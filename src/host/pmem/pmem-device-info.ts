import { stat } from 'node:fs/promises';
import { defaultHostHooks, type HostHooks } from '../../api/config.ts';
import type { DeviceInfo } from '../../api/device-info.ts';
import { FsTypeOption } from '../../api/device-type.ts';
import { deviceNumber } from '../device-number.ts';
import { withAction } from '../error-action.ts';
import { defaultHostPaths, type HostPaths } from '../host-paths.ts';
import { backingFile } from './loop-backing-file.ts';
import { wholeMountAt } from './mount-at.ts';
import { hasPFNSignature } from './pmem-signature.ts';
import { systemError, unsuitable } from '../source-errors.ts';
import { realSourcePath } from '../source-path.ts';
import type { DeviceNode } from '../sys-dev-path.ts';

export interface PmemDeviceOptions {
  hooks?: Pick<HostHooks, 'SysDevPrefix'> | undefined;
  paths?: HostPaths | undefined;
  /** What a relative `source` is relative to; the process's own by default. */
  cwd?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * v1's `PmemDeviceInfo` (contract 2.10): the request for an nvdimm with the file system that is
 * mounted at `source` from a loop device, whose file has to have the signature of one.
 *
 * `source` has to be the mount point itself, with the file system whole below it: the guest gets all of
 * it, and must not for a directory inside (W29). The cheap checks come first: most bind mounts are of
 * another kind, and no file is opened for them (W113).
 * @param destination where the container is to have it
 * @throws VmplugError `invalid-argument`, `source-not-found`, `source-unsuitable`, `aborted`
 */
export async function pmemDeviceInfo(
  source: string,
  destination: string,
  options: PmemDeviceOptions = {},
): Promise<DeviceInfo> {
  const { hooks = defaultHostHooks, paths = defaultHostPaths, cwd = process.cwd(), signal } = options;
  return withAction('use as persistent memory', async () => {
    const path = await realSourcePath(source, { cwd, paths, signal });
    const device = await containingDevice(path, source);
    const node: DeviceNode = { DevType: 'b', Major: device.major, Minor: device.minor };
    const HostPath = await backingFile(node, hooks);
    const mount = await wholeMountAt(path, device, paths);
    if (mount === undefined)
      throw unsuitable(
        source,
        'it is not the mount point of a whole file system',
        'give the directory that the loop device is mounted on',
      );
    if (!(await hasPFNSignature(HostPath)))
      throw unsuitable(source, `the file behind it, ${HostPath}, has no nvdimm signature`);
    return {
      ...node,
      HostPath,
      ContainerPath: destination,
      Pmem: true,
      ReadOnly: false,
      ColdPlug: false,
      FileMode: 0,
      UID: 0,
      GID: 0,
      ID: '',
      DriverOptions: { [FsTypeOption]: mount.fileSystem },
    };
  });
}

async function containingDevice(path: string, source: string): Promise<ReturnType<typeof deviceNumber>> {
  try {
    return deviceNumber((await stat(path, { bigint: true })).dev);
  } catch (error) {
    throw systemError(source, error);
  }
}
