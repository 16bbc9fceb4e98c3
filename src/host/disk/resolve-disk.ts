import type { HostDisk, HostIdentity, ImageFormat, ImageLayer } from '../../api/host-device.ts';
import { backingChain } from './backing-chain.ts';
import { claimMode, mergeClaims } from '../claim-modes.ts';
import { examineLayer } from './disk-layer.ts';
import { defaultHostPaths, type HostPaths } from '../host-paths.ts';
import { hostUsage } from './host-usage.ts';
import { sourceError, unsuitable } from '../source-errors.ts';
import { absolutePath, realSourcePath } from '../source-path.ts';

export interface ResolveDiskOptions {
  readOnly: boolean;
  /** Others that also say share-rw may have it at the same time. */
  shareRw: boolean;
  /** What the user says that the image is. */
  format?: ImageFormat | undefined;
  /** What a file was given to a VMM as before, by its {@link formatKey}. */
  recordedFormat?: ((formatKey: string) => ImageFormat | undefined) | undefined;
  /** Take a disk that this host uses. Overrides `source-in-use` and nothing else. */
  force: boolean;
  paths?: HostPaths | undefined;
  /** What a relative `source` is relative to; the process's own by default. */
  cwd?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Turns the path of an image file or block node into a disk with a real identity. Reads only;
 * claims nothing.
 * @throws `invalid-argument`, `source-not-found`, `source-unsuitable`, `source-in-use`, `aborted`
 */
export async function resolveDisk(source: string, options: ResolveDiskOptions): Promise<HostDisk> {
  const { readOnly, shareRw, force, signal, paths = defaultHostPaths, cwd = process.cwd() } = options;
  if (signal?.aborted === true)
    throw sourceError('aborted', source, 'given up before it began', undefined, signal.reason);
  const path = await realSourcePath(source, { cwd, paths, signal });
  const usage = hostUsage(paths);
  const top = examineLayer({
    path,
    source,
    format: options.format,
    recordedFormat: options.recordedFormat,
    readOnly,
    mode: claimMode({ readOnly, shareRw }),
    force,
    usage,
  });
  if (shareRw && top.header !== undefined) {
    throw unsuitable(
      source,
      'a qcow2 image cannot be shared for writing: each writer would spoil the tables of the others',
      'share a raw image, or attach it with --read-only and without --share-rw',
    );
  }
  const below = backingChain(top, absolutePath(source, cwd), { force, usage });
  return {
    kind: 'block',
    source,
    layers: [top.layer, ...below.map(({ layer }): ImageLayer => layer)],
    virtualSize: top.virtualSize,
    ...(top.formatKey === undefined ? {} : { formatKey: top.formatKey }),
    identities: atLeastOne(mergeClaims([top, ...below].flatMap(({ claims }) => claims))),
    readOnly,
    shareRw,
    ...(top.identity.kind === 'block' ? top.identity.device : { major: 0, minor: 0 }),
  };
}

function atLeastOne(claims: HostIdentity[]): [HostIdentity, ...HostIdentity[]] {
  const [first, ...rest] = claims;
  if (first === undefined) throw new TypeError('a disk claims at least itself');
  return [first, ...rest];
}
