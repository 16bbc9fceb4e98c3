import { statSync, type BigIntStats } from 'node:fs';
import type { HostIdentity, HostPmem } from '../../api/host-device.ts';
import { claimMode } from '../claim-modes.ts';
import { examineLayer } from '../disk/disk-layer.ts';
import { withAction } from '../error-action.ts';
import { defaultHostPaths, type HostPaths } from '../host-paths.ts';
import { hostUsage } from '../disk/host-usage.ts';
import { pmemSize } from './pmem-size.ts';
import { sourceError, systemError } from '../source-errors.ts';
import { realSourcePath } from '../source-path.ts';

export interface ResolvePmemOptions {
  readOnly: boolean;
  /** Others that also say share-rw may have it at the same time. */
  shareRw?: boolean | undefined;
  /** Take what this host uses. Overrides `source-in-use` and nothing else. */
  force?: boolean | undefined;
  /** What a relative `source` is relative to; the process's own by default. */
  cwd?: string | undefined;
  paths?: HostPaths | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Turns the path of a file or block node into what an nvdimm can be made of. Reads only; claims
 * nothing. It claims the same identities as a disk, so that a disk and an nvdimm on one file clash.
 * QEMU would make a file of its own where there is none, or in a directory: both are refused here.
 * @throws VmplugError `invalid-argument`, `source-not-found`, `source-unsuitable`, `source-in-use`,
 *   `pmem-size`, `aborted`
 */
export async function resolvePmem(source: string, options: ResolvePmemOptions): Promise<HostPmem> {
  const { readOnly, shareRw = false, force = false, signal } = options;
  const { paths = defaultHostPaths, cwd = process.cwd() } = options;
  return withAction('use as persistent memory', async () => {
    if (signal?.aborted === true)
      throw sourceError('aborted', source, 'given up before it began', undefined, signal.reason);
    const path = await realSourcePath(source, { cwd, paths, signal });
    const stat = statOf(path, source);
    // A disk's last sector is filled up, an nvdimm's last page is not: the file's own size counts.
    if (stat.isFile()) pmemSize(stat.size, source);
    const layer = examineLayer({
      path,
      source,
      // Its bytes as they are, whatever they look like.
      format: 'raw',
      recordedFormat: undefined,
      readOnly,
      mode: claimMode({ readOnly, shareRw }),
      force,
      usage: hostUsage(paths),
    });
    return {
      kind: 'pmem',
      source,
      path,
      size: pmemSize(BigInt(layer.virtualSize), source),
      identities: atLeastOne(layer.claims),
      readOnly,
      shareRw,
    };
  });
}

function statOf(path: string, source: string): BigIntStats {
  try {
    return statSync(path, { bigint: true });
  } catch (error) {
    throw systemError(source, error);
  }
}

function atLeastOne(claims: readonly HostIdentity[]): [HostIdentity, ...HostIdentity[]] {
  const [first, ...rest] = claims;
  if (first === undefined) throw new TypeError('an nvdimm claims at least what it is made of');
  return [first, ...rest];
}
