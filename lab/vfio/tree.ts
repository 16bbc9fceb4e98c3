import { chmod, copyFile, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runProgram } from '../guest/run-program.ts';
import { execd, execOne } from '../guest/init.ts';
import { librariesOf } from './closure.ts';
import { outerInittab, outerRc } from './scripts.ts';

/** What the outer guest's disk is made of. */
export interface TreeSources {
  readonly node: string;
  /** The system's QEMU and its folders of firmware. */
  readonly qemu: string;
  readonly firmware: readonly string[];
  /** The folder into which QEMU 10 was unpacked. */
  readonly qemu10: string;
  readonly busybox: string;
  readonly innerKernel: string;
  readonly innerInitrd: Buffer;
}

/** Programs of the system that the tests use in the outer guest, by these paths: busybox's shell has poorer ones of those names. */
const systemPrograms: readonly string[] = ['/usr/sbin/ip', '/usr/bin/prlimit', '/usr/bin/setpriv'];

/** The part of the system's QEMU that emulates CPUs, which Debian has as a module. */
const emulator = '/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so';

/** Makes the tree of the outer guest's disk in an empty folder: read-only later, so every mount point is there. */
export async function makeTree(tree: string, sources: TreeSources): Promise<void> {
  for (const folder of [
    'bin',
    'sbin',
    'etc',
    'proc',
    'sys',
    'dev',
    'tmp',
    'run',
    'root',
    'mnt',
    'var',
    'lib',
    'checkout',
    'given',
    'inner',
  ])
    await mkdir(join(tree, folder), { recursive: true });
  await copy(sources.busybox, join(tree, 'bin/busybox'));
  const programs: [from: string, to: string][] = [
    ...systemPrograms.map((path): [string, string] => [path, path]),
    [sources.node, 'bin/node'],
    // It finds its firmware and modules by its own place.
    [sources.qemu, 'usr/bin/qemu-system-x86_64'],
    [emulator, emulator],
    [join(sources.qemu10, 'usr/bin/qemu-system-x86_64'), 'q10/usr/bin/qemu-system-x86_64'],
  ];
  for (const [from, to] of programs) await copy(from, join(tree, to));
  for (const [path, file] of await librariesOf(programs.map(([from]) => from)))
    await copy(file, join(tree, path));
  await addApplets(tree, sources.busybox);

  for (const folder of sources.firmware) await copyFirmware(folder, join(tree, 'usr/share/qemu'));
  for (const name of ['qemu', 'seabios'])
    await copyFirmware(join(sources.qemu10, 'usr/share', name), join(tree, 'q10/usr/share', name));
  await copy(sources.innerKernel, join(tree, 'inner/vmlinuz'));
  await writeFile(join(tree, 'inner/initrd'), sources.innerInitrd);

  await writeFile(join(tree, 'etc/inittab'), outerInittab);
  await writeFile(
    join(tree, 'etc/passwd'),
    'root::0:0:root:/root:/bin/sh\nuser::1000:1000:user:/tmp:/bin/sh\n',
  );
  await writeFile(join(tree, 'etc/group'), 'root:x:0:\nuser:x:1000:\n');
  await writeFile(join(tree, 'etc/os-release'), 'ID=vmplug-outer\n');
  for (const [name, text] of [
    ['rc', outerRc],
    ['execd', execd],
    ['exec-one', execOne],
  ] as const) {
    await writeFile(join(tree, 'etc', name), text);
    await chmod(join(tree, 'etc', name), 0o755);
  }
}

async function copy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
}

/** The BIOS, and what QEMU loads with a kernel of its own; ROMs of graphics and other machines are left out. */
async function copyFirmware(from: string, to: string): Promise<void> {
  for (const name of await readdir(from)) {
    if (/^(?:bios|kvmvapic|linuxboot|multiboot|pvh).*\.bin$/.test(name))
      await copy(join(from, name), join(to, name));
  }
}

/** Busybox's names, where no program of the system has that name. */
async function addApplets(tree: string, busybox: string): Promise<void> {
  const present = new Set(await readdir(join(tree, 'bin')));
  const names = (await runProgram(busybox, ['--list'])).toString().split('\n');
  for (const name of names) {
    if (name !== '' && !present.has(name)) await symlink('busybox', join(tree, 'bin', name));
  }
  await symlink('../bin/busybox', join(tree, 'sbin/init'));
}
