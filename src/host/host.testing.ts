import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import type { HostPaths } from './host-paths.ts';

/** A directory of its own for one test, removed when it goes out of scope. */
export function temporaryDirectory(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'vmplug-host-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface FakeHost extends Disposable {
  directory: string;
  paths: HostPaths;
  /** Writes a file below the fake host's root, with its directories. */
  write(path: string, content: string | Uint8Array): string;
  /** Adds a block device to sysfs: `sda` or, as a partition, `sda/sda1`. Attributes by relative path. */
  addBlock(place: string, number: string, attributes?: Record<string, string>): void;
  /** Puts `upper` above `lower`, as device-mapper does. */
  stack(upper: string, lower: string): void;
}

/** A host with a sysfs and a procfs of plain files, nothing mounted and no devices. */
export function fakeHost(): FakeHost {
  const temporary = temporaryDirectory();
  const directory = temporary.path;
  const paths = { sys: join(directory, 'sys'), proc: join(directory, 'proc'), dev: join(directory, 'dev') };
  const write = (path: string, content: string | Uint8Array): string => {
    const full = join(directory, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
    return full;
  };
  const places = new Map<string, string>();
  const link = (from: string, to: string): void => {
    mkdirSync(dirname(from), { recursive: true });
    symlinkSync(relative(dirname(from), to), from);
  };
  write('proc/self/mountinfo', '');
  write('proc/swaps', 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n');
  return {
    directory,
    paths,
    write,
    addBlock(place, number, attributes = {}) {
      const name = place.split('/').at(-1) ?? place;
      const home = `sys/devices/block/${place}`;
      places.set(name, join(directory, home));
      const all = { dev: number, size: '2048', ro: '0', ...attributes };
      for (const [key, value] of Object.entries(all)) write(`${home}/${key}`, `${value}\n`);
      link(join(paths.sys, 'dev/block', number), join(directory, home));
      if (!place.includes('/')) link(join(paths.sys, 'block', name), join(directory, home));
    },
    stack(upper, lower) {
      const above = places.get(upper) ?? upper;
      const below = places.get(lower) ?? lower;
      link(join(below, 'holders', upper), above);
      link(join(above, 'slaves', lower), below);
    },
    [Symbol.dispose]: () => temporary[Symbol.dispose](),
  };
}

export interface Qcow2Parts {
  version?: number;
  clusterBits?: number;
  virtualSize?: bigint;
  backing?: string;
  backingFormat?: string;
  incompatible?: bigint;
  encryption?: number;
  headerLength?: number;
}

/** The first cluster of a qcow2 image, put together by hand from docs/interop/qcow2. */
export function qcow2Image(parts: Qcow2Parts = {}): Buffer {
  const { version = 3, clusterBits = 16, virtualSize = 1n << 20n, backing, backingFormat } = parts;
  const headerLength = parts.headerLength ?? (version === 2 ? 72 : 104);
  const image = Buffer.alloc(1024);
  image.writeUInt32BE(0x514649fb, 0);
  image.writeUInt32BE(version, 4);
  image.writeUInt32BE(clusterBits, 20);
  image.writeBigUInt64BE(virtualSize, 24);
  image.writeUInt32BE(parts.encryption ?? 0, 32);
  if (version >= 3) {
    image.writeBigUInt64BE(parts.incompatible ?? 0n, 72);
    image.writeUInt32BE(4, 96);
    image.writeUInt32BE(headerLength, 100);
  }
  let at = headerLength;
  if (backingFormat !== undefined) {
    image.writeUInt32BE(0xe2792aca, at);
    image.writeUInt32BE(Buffer.byteLength(backingFormat), at + 4);
    image.write(backingFormat, at + 8);
    at += 8 + Math.ceil(Buffer.byteLength(backingFormat) / 8) * 8;
  }
  at += 8;
  if (backing !== undefined) {
    image.writeBigUInt64BE(BigInt(at), 8);
    image.writeUInt32BE(Buffer.byteLength(backing), 16);
    image.write(backing, at);
  }
  return image;
}
