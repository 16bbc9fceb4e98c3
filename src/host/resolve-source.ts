import type { HostHooks } from '../api/config.ts';
import type { HostDevice, ImageFormat } from '../api/host-device.ts';
import { parseSource } from '../api/source.ts';
import { resolveDisk } from './disk/resolve-disk.ts';
import type { HostPaths } from './host-paths.ts';
import { resolvePmem } from './pmem/resolve-pmem.ts';
import { checkTaken } from './source-options.ts';
import { resolveVfioGroup } from './vfio/resolve-vfio.ts';
import { resolveVhostUser } from './vhost-user/resolve-vhost-user.ts';

export interface SourceOptions {
  readonly readOnly?: boolean | undefined;
  /** Others that also say share-rw may have it at the same time. */
  readonly shareRw?: boolean | undefined;
  /** Take what this host uses. Overrides `source-in-use` and nothing else. */
  readonly force?: boolean | undefined;
  /** For a disk: what the user says that the image is. */
  readonly format?: ImageFormat | undefined;
  /** For `vhost-user-fs`, where it is needed: what the guest mounts, 1 to 36 bytes. */
  readonly tag?: string | undefined;
  /** For `vhost-user-net`: `52:54:00:12:34:56`. */
  readonly mac?: string | undefined;
  /** What a relative path is relative to; the process's own by default. */
  readonly cwd?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What a file was given to a VMM as before, by its key. */
  readonly recordedFormat?: ((key: string) => ImageFormat | undefined) | undefined;
  readonly paths?: HostPaths | undefined;
  readonly hooks?: HostHooks | undefined;
}

/**
 * Turns a source (see {@link parseSource}) into the host device that it means. Reads only; claims
 * and binds nothing. The functions of an IOMMU group may still be with this host's drivers.
 * @throws VmplugError `invalid-argument` also for an option that the kind does not take,
 *   `unsupported`, and as `resolveDisk`, `resolvePmem`, `resolveVfioGroup` and `resolveVhostUser`
 */
export async function resolveSource(source: string, options: SourceOptions): Promise<HostDevice> {
  const parsed = parseSource(source);
  checkTaken(source, parsed, options);
  const { scheme, rest } = parsed;
  const { readOnly = false, shareRw = false, force = false, cwd, paths, signal, hooks } = options;
  switch (scheme) {
    case 'path': {
      const { format, recordedFormat } = options;
      return resolveDisk(rest, { readOnly, shareRw, force, format, recordedFormat, cwd, paths, signal });
    }
    case 'pmem': {
      const pmem = await resolvePmem(rest, { readOnly, shareRw, force, cwd, paths, signal });
      return { ...pmem, source };
    }
    case 'vfio':
    case 'mdev':
    case 'vfio-ap':
      return resolveVfioGroup(source, { hooks, paths, signal, willBind: true, force });
    case 'vhost-user-blk':
    case 'vhost-user-scsi':
    case 'vhost-user-net':
    case 'vhost-user-fs': {
      const { tag, mac } = options;
      return { ...(await resolveVhostUser(scheme, rest, { tag, mac, cwd, paths, signal })), source };
    }
  }
}
