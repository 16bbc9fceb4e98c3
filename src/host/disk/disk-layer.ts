import type { ClaimMode, HostIdentity, ImageFormat, ImageLayer } from '../../api/host-device.ts';
import { blockDevice } from './block-device.ts';
import { blockClaims } from './block-identities.ts';
import { blockUses, exclusiveUse, fileUses, type HostUse } from './block-in-use.ts';
import { claimsOnWhole } from '../claim-modes.ts';
import { blockKey, type NodeIdentity } from '../device-number.ts';
import { heldExclusively } from './exclusive-probe.ts';
import type { HostUsage } from './host-usage.ts';
import { decideFormat } from './image-format.ts';
import { openSource, type OpenSource } from './open-source.ts';
import { parseQcow2Header, qcow2ClusterSize, type Qcow2Header } from './qcow2-header.ts';
import { sourceError, unsuitable } from '../source-errors.ts';

export interface LayerRequest {
  /** Absolute, symbolic links resolved. */
  path: string;
  /** What to call it in errors. */
  source: string;
  format: ImageFormat | undefined;
  recordedFormat: ((formatKey: string) => ImageFormat | undefined) | undefined;
  readOnly: boolean;
  mode: ClaimMode;
  /** Take it although this host uses it. */
  force: boolean;
  usage: HostUsage;
}

/** One image, examined. */
export interface DiskLayer {
  layer: ImageLayer;
  identity: NodeIdentity;
  claims: HostIdentity[];
  virtualSize: number;
  header: Qcow2Header | undefined;
  /** Of a regular file: see {@link formatKey}. */
  formatKey: string | undefined;
}

/** Opens one image or block node and finds out all that an attachment of it needs. */
export function examineLayer(request: LayerRequest): DiskLayer {
  using open = openSource(request.path, request.source, request.readOnly);
  const { identity } = open;
  const size = identity.kind === 'file' ? fileSize(open, request) : blockSize(identity, request);
  refuseInUse(open, request);
  const format = identity.kind === 'file' ? fileFormat(open, size, request) : (request.format ?? 'raw');
  const header = format === 'qcow2' ? readQcow2(open, request) : undefined;
  return {
    layer: { path: request.path, format, protocol: identity.kind === 'file' ? 'file' : 'host_device' },
    identity,
    claims:
      identity.kind === 'file'
        ? claimsOnWhole(identity.key, request.mode)
        : blockClaims(identity.device, request.mode, request.usage.paths),
    // QEMU counts in sectors: a raw file's last one is filled up, a qcow2 image's rest is cut off.
    virtualSize:
      header === undefined ? Math.ceil(size / 512) * 512 : header.virtualSize - (header.virtualSize % 512),
    header,
    formatKey: identity.kind === 'file' ? formatKey(open.stat) : undefined,
  };
}

/**
 * What a file's recorded format is kept under: with the time of birth, so that a new file that
 * got an old one's inode does not inherit its format.
 */
function formatKey(stat: { dev: bigint; ino: bigint; birthtimeNs: bigint }): string {
  return `file:${stat.dev}:${stat.ino}:${stat.birthtimeNs}`;
}

function fileSize({ stat }: OpenSource, { source }: LayerRequest): number {
  if (stat.size > BigInt(Number.MAX_SAFE_INTEGER))
    throw unsuitable(source, `it is ${stat.size} bytes, too large`);
  return Number(stat.size);
}

function blockSize(identity: NodeIdentity & { kind: 'block' }, request: LayerRequest): number {
  const { source, usage, readOnly } = request;
  const device = blockDevice(identity.device, usage.paths);
  if (device === undefined)
    throw unsuitable(
      source,
      `the kernel has no block device ${blockKey(identity.device).slice(6).replace(':', ', ')}`,
    );
  if (device.size === 0)
    throw unsuitable(source, 'it has no size: the drive has no medium, or nothing is bound to it');
  if (device.readOnly && !readOnly)
    throw unsuitable(source, 'the block device is read-only', 'attach it with --read-only');
  return device.size;
}

function refuseInUse({ identity }: OpenSource, { path, source, usage, readOnly, force }: LayerRequest): void {
  if (force) return;
  const uses: HostUse[] =
    identity.kind === 'file' ? fileUses(identity.key, usage) : blockUses(identity.device, usage);
  if (identity.kind === 'block' && uses.length === 0 && heldExclusively(path)) uses.push(exclusiveUse);
  // A reader beside readers: a file system that is mounted read-only stays as it is.
  const use = uses.find(({ writes }) => writes || !readOnly);
  if (use !== undefined)
    throw sourceError(
      'source-in-use',
      source,
      `it ${use.what}`,
      'release it first; --force takes it all the same, and two writers will damage it',
    );
}

function fileFormat(open: OpenSource, size: number, request: LayerRequest): ImageFormat {
  return decideFormat({
    path: request.path,
    stated: request.format,
    recorded: () => request.recordedFormat?.(formatKey(open.stat)),
    start: open.read(0, 512),
    end: () => open.read(Math.max(0, size - 512), 512),
  });
}

function readQcow2(open: OpenSource, { source, readOnly }: LayerRequest): Qcow2Header {
  const clusterSize = qcow2ClusterSize(source, open.read(0, 512));
  const header = parseQcow2Header(source, open.read(0, clusterSize));
  if (header.virtualSize < 512) throw unsuitable(source, 'the qcow2 image holds an empty disk');
  if (header.dirty && !readOnly)
    // QEMU would repair it when opening it, with the whole VM waiting.
    throw unsuitable(
      source,
      'the qcow2 image was not closed properly',
      'repair it first: qemu-img check -r all FILE',
    );
  return header;
}
