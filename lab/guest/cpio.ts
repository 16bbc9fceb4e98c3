/** One entry of an initramfs. Paths are relative to the root, without a leading slash. */
export type CpioEntry =
  | { kind: 'directory'; path: string; mode?: number }
  | { kind: 'file'; path: string; data: Uint8Array | string; mode?: number }
  | { kind: 'symlink'; path: string; target: string }
  | { kind: 'character-device'; path: string; major: number; minor: number; mode?: number };

const fileType = { directory: 0o040000, file: 0o100000, symlink: 0o120000, 'character-device': 0o020000 };
const usualMode = { directory: 0o755, file: 0o644, symlink: 0o777, 'character-device': 0o600 };

const trailer = 'TRAILER!!!';

/**
 * Writes a cpio archive in the "newc" format, the one that Linux unpacks as an initramfs.
 * Everything belongs to root and has no time, so that equal entries give equal bytes.
 * Directories must come before what is in them: the kernel creates none by itself.
 */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  let inode = 0;
  for (const entry of entries) {
    inode += 1;
    const mode =
      fileType[entry.kind] |
      ('mode' in entry ? (entry.mode ?? usualMode[entry.kind]) : usualMode[entry.kind]);
    const device: [number, number] = entry.kind === 'character-device' ? [entry.major, entry.minor] : [0, 0];
    parts.push(
      ...record(
        { name: entry.path, inode, mode, links: entry.kind === 'directory' ? 2 : 1, device },
        contentOf(entry),
      ),
    );
  }
  parts.push(...record({ name: trailer, inode: 0, mode: 0, links: 1, device: [0, 0] }, Buffer.alloc(0)));
  return Buffer.concat(parts);
}

function contentOf(entry: CpioEntry): Buffer {
  if (entry.kind === 'file')
    return typeof entry.data === 'string' ? Buffer.from(entry.data) : Buffer.from(entry.data);
  if (entry.kind === 'symlink') return Buffer.from(entry.target);
  return Buffer.alloc(0);
}

interface Header {
  name: string;
  inode: number;
  mode: number;
  links: number;
  device: [major: number, minor: number];
}

function record(header: Header, content: Buffer): Buffer[] {
  const name = Buffer.from(`${header.name}\0`);
  const fields = [
    header.inode,
    header.mode,
    0, // uid
    0, // gid
    header.links,
    0, // mtime
    content.length,
    0, // major of the device that holds the file
    0,
    ...header.device,
    name.length,
    0, // checksum, unused in this format
  ];
  const text = `070701${fields.map((field) => field.toString(16).toUpperCase().padStart(8, '0')).join('')}`;
  return [padded(Buffer.concat([Buffer.from(text, 'ascii'), name])), padded(content)];
}

/** Headers with their names, and contents, end on a multiple of 4 bytes. */
function padded(bytes: Buffer): Buffer {
  const rest = bytes.length % 4;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(4 - rest)]);
}
