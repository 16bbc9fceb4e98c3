import { quoted, type VmplugError } from '../../api/errors.ts';
import { unsuitable } from '../source-errors.ts';

/** What vmplug needs to know of a qcow2 image, from its first cluster. */
export interface Qcow2Header {
  version: 2 | 3;
  /** In bytes; the guest sees whole 512-byte sectors of it. */
  virtualSize: number;
  /** As written in the image: relative to the image's directory unless absolute. */
  backingFile: string | undefined;
  backingFormat: string | undefined;
  /** The reference counts may be wrong until repaired; harmless to readers. */
  dirty: boolean;
}

const magic = 0x514649fb; // "QFI\xfb"
const endOfExtensions = 0;
const backingFormatExtension = 0xe2792aca;
/** dirty, corrupt, external data file, compression type, extended L2 entries */
const knownIncompatible = 0x1fn;

/** Whether the bytes begin with qcow2's magic. */
export function startsLikeQcow2(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0) === magic;
}

/**
 * How much of the image {@link parseQcow2Header} needs: one cluster.
 * @param start at least its first 72 bytes
 */
export function qcow2ClusterSize(path: string, start: Uint8Array): number {
  if (!startsLikeQcow2(start)) throw unsuitable(path, 'it does not start like a qcow2 image');
  if (start.length < 72) throw malformed(path, 'it ends within its header');
  const bits = viewOf(start).getUint32(20);
  if (bits < 9 || bits > 21) throw malformed(path, `its cluster size is 2^${bits} bytes, not 2^9 to 2^21`);
  return 2 ** bits;
}

/**
 * Reads a qcow2 header as QEMU's docs/interop/qcow2 describes it.
 * @param path the image, for errors
 * @param bytes its first cluster, or all of it where that is shorter
 * @throws `source-unsuitable` for what is malformed, corrupt, encrypted or of an unknown version
 *   or feature, or keeps its data in another file
 */
export function parseQcow2Header(path: string, bytes: Uint8Array): Qcow2Header {
  const clusterSize = qcow2ClusterSize(path, bytes);
  const view = viewOf(bytes);
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3)
    throw unsuitable(path, `it is a qcow image of version ${version}`, convertHint(path));
  if (view.getUint32(32) !== 0) {
    throw unsuitable(path, 'it is encrypted, which vmplug does not support', convertHint(path));
  }
  let headerLength = 72;
  let dirty = false;
  if (version === 3) {
    if (bytes.length < 104) throw malformed(path, 'it ends within its header');
    dirty = checkFeatures(path, view.getBigUint64(72));
    headerLength = view.getUint32(100);
    if (headerLength < 104 || headerLength % 8 !== 0 || headerLength > clusterSize)
      throw malformed(path, `its header says that it is ${headerLength} bytes long`);
  }
  const size = view.getBigUint64(24);
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(path, `it claims to hold ${size} bytes`);

  const backingOffset = view.getBigUint64(8);
  const end = Math.min(bytes.length, clusterSize);
  const hasBacking = backingOffset !== 0n;
  if (hasBacking && (backingOffset < BigInt(headerLength) || backingOffset > BigInt(end)))
    throw malformed(path, 'the name of its backing file is not in its first cluster');
  const nameStart = hasBacking ? Number(backingOffset) : end;
  return {
    version,
    virtualSize: Number(size),
    backingFile: hasBacking
      ? backingName(path, bytes.subarray(nameStart, end), view.getUint32(16))
      : undefined,
    backingFormat: hasBacking
      ? findBackingFormat(path, bytes.subarray(0, nameStart), headerLength)
      : undefined,
    dirty,
  };
}

function checkFeatures(path: string, features: bigint): boolean {
  if ((features & 2n) !== 0n)
    throw unsuitable(
      path,
      'the image is marked corrupt',
      `keep a copy, then try qemu-img check -r all ${quoted(path)}`,
    );
  if ((features & 4n) !== 0n)
    throw unsuitable(
      path,
      'its data is in an external file, which vmplug does not support',
      convertHint(path),
    );
  const unknown = features & ~knownIncompatible;
  if (unknown !== 0n)
    throw unsuitable(path, `it needs features that vmplug does not know (bits 0x${unknown.toString(16)})`);
  return (features & 1n) !== 0n;
}

function backingName(path: string, bytes: Uint8Array, length: number): string | undefined {
  if (length > 1023 || length > bytes.length)
    throw malformed(path, `the name of its backing file is ${length} bytes long`);
  const name = text(path, bytes.subarray(0, length), 'the name of its backing file');
  return name === '' ? undefined : name;
}

function findBackingFormat(path: string, bytes: Uint8Array, from: number): string | undefined {
  const view = viewOf(bytes);
  let at = from;
  while (at + 8 <= bytes.length) {
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4);
    if (type === endOfExtensions) return undefined;
    if (length > bytes.length - at - 8) throw malformed(path, 'a header extension is longer than the header');
    if (type === backingFormatExtension)
      return text(path, bytes.subarray(at + 8, at + 8 + length), 'the format of its backing file');
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return undefined;
}

function text(path: string, bytes: Uint8Array, what: string): string {
  try {
    const decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    if (!decoded.includes('\0')) return decoded;
  } catch {
    // Said below.
  }
  throw malformed(path, `${what} is not UTF-8 text`);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function convertHint(path: string): string {
  return `make a plain copy: qemu-img convert -O qcow2 ${quoted(path)} copy.qcow2`;
}

function malformed(path: string, reason: string): VmplugError {
  return unsuitable(path, `it is not a valid qcow2 image: ${reason}`);
}
