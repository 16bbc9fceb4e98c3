import { readFile, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Architecture } from './apt.ts';
import type { CpioEntry } from './cpio.ts';
import type { GuestKernel } from './debian.ts';
import { disks, execd, execOne, inittab, powerd, rc } from './init.ts';
import { loadOrder, moduleDepends, moduleName, type KernelModule } from './modules.ts';
import { runProgram } from './run-program.ts';

const everywhere: readonly string[] = [
  'virtio_pci',
  'virtio_blk',
  'virtio_scsi',
  'sd_mod',
  'virtio_net',
  'virtio_console',
  'virtiofs',
  'vmw_vsock_virtio_transport',
  'button',
  'evdev',
];

const ofMachine: Readonly<Record<Architecture, readonly string[]>> = {
  amd64: ['virtio_mmio', 'nfit', 'nd_pmem'],
  arm64: ['virtio_mmio', 'gpio_keys'],
  s390x: [],
};

/** Drivers of the emulated hardware that VFIO passes on. */
const ofHardware: readonly string[] = ['nvme', 'e1000e', 'igb', 'igbvf'];

/** What a guest loads, with all that these need. What its kernel has built in is skipped. */
export function modulesOf({ architecture, flavour }: GuestKernel): string[] {
  const hardware = architecture === 'amd64' && flavour === 'full' ? ofHardware : [];
  return [...everywhere, ...ofMachine[architecture], ...hardware];
}

/** The contents of the initramfs, apart from the kernel's modules. Changes whenever the guest does. */
export function guestFiles(): CpioEntry[] {
  const script = (path: string, data: string): CpioEntry => ({ kind: 'file', path, data, mode: 0o755 });
  return [
    ...['bin', 'dev', 'etc', 'lib', 'lib/modules', 'mnt', 'proc', 'root', 'run', 'sys', 'tmp'].map(
      (path): CpioEntry => ({ kind: 'directory', path }),
    ),
    { kind: 'symlink', path: 'sbin', target: 'bin' },
    { kind: 'symlink', path: 'init', target: 'bin/busybox' },
    { kind: 'symlink', path: 'bin/sh', target: 'busybox' },
    { kind: 'character-device', path: 'dev/console', major: 5, minor: 1 },
    { kind: 'character-device', path: 'dev/null', major: 1, minor: 3, mode: 0o666 },
    { kind: 'file', path: 'etc/inittab', data: inittab },
    { kind: 'file', path: 'etc/passwd', data: 'root::0:0:root:/root:/bin/sh\n' },
    { kind: 'file', path: 'etc/group', data: 'root:x:0:\n' },
    script('etc/rc', rc),
    script('etc/execd', execd),
    script('etc/exec-one', execOne),
    script('etc/powerd', powerd),
    script('bin/disks', disks),
  ];
}

/** Busybox and the modules of the unpacked packages below `root`, in the order in which the guest loads them. */
export async function packageFiles(
  root: string,
  wanted: readonly string[],
  signal?: AbortSignal,
): Promise<CpioEntry[]> {
  const busybox = await firstFile([join(root, 'bin/busybox'), join(root, 'usr/bin/busybox')]);
  const files = await moduleFiles(root);
  const contents = new Map<string, Buffer>();
  const modules = new Map<string, KernelModule>();
  // Only what is needed is read: the package has hundreds of modules.
  const waiting = [...wanted];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const file = files.get(name);
    if (file === undefined || modules.has(name)) continue;
    const data = await readModule(file, signal);
    const depends = moduleDepends(data);
    contents.set(name, data);
    modules.set(name, { name, file, depends });
    waiting.push(...depends);
  }
  const order = loadOrder(wanted, (name) => modules.get(name));
  const entries: CpioEntry[] = order.map(({ name }) => ({
    kind: 'file',
    path: `lib/modules/${name}.ko`,
    data: contents.get(name) ?? '',
  }));
  const list = order.map(({ name }) => `${name} /lib/modules/${name}.ko\n`).join('');
  return [
    { kind: 'file', path: 'bin/busybox', data: busybox, mode: 0o755 },
    { kind: 'file', path: 'etc/modules', data: list },
    ...entries,
  ];
}

async function firstFile(paths: readonly string[]): Promise<Buffer> {
  const failures: unknown[] = [];
  for (const path of paths) {
    try {
      return await readFile(path);
    } catch (error) {
      failures.push(error);
    }
  }
  throw new AggregateError(failures, `none of ${paths.join(', ')} is there`);
}

/** Modules by name. Debian has them in /lib/modules, in releases with a merged /usr in /usr/lib/modules. */
async function moduleFiles(root: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const folder of ['lib/modules', 'usr/lib/modules']) {
    const names = await readdir(join(root, folder), { recursive: true }).catch(() => []);
    for (const name of names) {
      if (/\.ko(\.(xz|zst|gz))?$/.test(name)) files.set(moduleName(name), join(root, folder, name));
    }
  }
  if (files.size === 0) throw new Error(`no kernel module below ${relative('.', root)}`);
  return files;
}

async function readModule(file: string, signal?: AbortSignal): Promise<Buffer> {
  if (file.endsWith('.xz')) return await runProgram('xz', ['-dc', file], { signal });
  const data = await readFile(file);
  if (file.endsWith('.zst')) return zstdDecompressSync(data);
  return file.endsWith('.gz') ? gunzipSync(data) : data;
}
