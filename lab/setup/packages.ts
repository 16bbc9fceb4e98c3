import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { VmplugError } from '../../src/api/errors.ts';
import { runProgram } from '../guest/run-program.ts';

/** A Debian package that something here needs. */
export interface NeededPackage {
  package: string;
  /** How its presence is told: a program's name, or the path of a file. */
  provides: string;
  /** What it is for, as a user would say it. */
  why: string;
}

export interface EnsurePackagesOptions {
  /** Told what apt says. Default: stderr. */
  onProgress?: (text: string) => void;
  signal?: AbortSignal;
}

/** QEMU for x86 with its tools. `qemu-storage-daemon` and virtiofsd come with qemu-system-common, which it depends on. */
export const qemuPackages: readonly NeededPackage[] = [
  { package: 'qemu-system-x86', provides: 'qemu-system-x86_64', why: 'to run VMs' },
  { package: 'qemu-utils', provides: 'qemu-img', why: 'to make disk images' },
];

/** QEMU for the other architectures that the lab has guests of. */
const otherQemuPackages: readonly NeededPackage[] = [
  { package: 'qemu-system-arm', provides: 'qemu-system-aarch64', why: 'to run arm64 guests' },
  { package: 'qemu-system-misc', provides: 'qemu-system-s390x', why: 'to run s390x guests' },
];

/** What every machine of the lab needs. */
export const labPackages: readonly NeededPackage[] = [...qemuPackages, ...otherQemuPackages];

/** What the tests use beside QEMU. */
export const testPackages: readonly NeededPackage[] = [
  { package: 'e2fsprogs', provides: 'mkfs.ext4', why: 'to make file systems in test images' },
  { package: 'mount', provides: 'losetup', why: 'to make block nodes of test images' },
  { package: 'strace', provides: 'strace', why: 'to count what is brought to disk' },
  ...otherQemuPackages,
];

/** What compiles QEMU's back end for vhost-user-scsi, and what serves its disks. */
export const scsiPackages: readonly NeededPackage[] = [
  { package: 'gcc', provides: 'gcc', why: "to compile QEMU's vhost-user-scsi" },
  { package: 'libc6-dev', provides: '/usr/include/stdio.h', why: "to compile QEMU's vhost-user-scsi" },
  { package: 'pkgconf', provides: 'pkg-config', why: "to compile QEMU's vhost-user-scsi" },
  { package: 'libglib2.0-dev', provides: '/usr/include/glib-2.0/glib.h', why: "for QEMU's vhost-user-scsi" },
  { package: 'libiscsi-dev', provides: '/usr/include/iscsi/iscsi.h', why: "for QEMU's vhost-user-scsi" },
  { package: 'tgt', provides: 'tgtd', why: 'to serve SCSI disks' },
];

/** What compiles a module for a kernel of Debian, beside the packages of that kernel. */
export const kernelModulePackages: readonly NeededPackage[] = [
  { package: 'gcc-12', provides: 'gcc-12', why: 'to compile a kernel module' },
  { package: 'make', provides: 'make', why: 'to compile a kernel module' },
  { package: 'libelf1', provides: '/usr/lib/x86_64-linux-gnu/libelf.so.1', why: "for the kernel's objtool" },
  { package: 'xz-utils', provides: 'xz', why: "to unpack the kernel's source" },
];

/** What a libvirtd started by hand needs, without systemd, networks or polkit. */
export const libvirtPackages: readonly NeededPackage[] = [
  { package: 'libvirt-daemon', provides: '/usr/sbin/libvirtd', why: 'to compare with libvirt' },
  {
    package: 'libvirt-daemon-driver-qemu',
    // Its folder has the name of the machine's architecture; this program is beside it in the package.
    provides: 'virt-qemu-run',
    why: "for libvirt's QEMU driver",
  },
  { package: 'libvirt-clients', provides: 'virsh', why: 'to speak to libvirt' },
];

/**
 * Makes sure that packages are there. Nothing is run if they are; as root apt installs what is missing, without
 * recommended packages, after refreshing its lists only if they don't know it.
 *
 * @returns the names of the packages that were installed.
 * @throws VmplugError `missing-package`, with the command to run as its hint; `aborted`.
 */
export async function ensurePackages(
  packages: readonly NeededPackage[],
  options: EnsurePackagesOptions = {},
): Promise<string[]> {
  const { onProgress = (text) => void process.stderr.write(text), signal } = options;
  const missing = await missingPackages(packages);
  if (missing.length === 0) return [];
  const names = missing.map((entry) => entry.package);
  if (process.getuid?.() !== 0) throw missingError(missing, 'not installed, and installing needs root');

  const install = (...extra: string[]): Promise<Buffer> =>
    runProgram('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...extra, ...names], {
      env: { DEBIAN_FRONTEND: 'noninteractive' },
      signal,
      onOutput: onProgress,
      follow: true,
    });
  onProgress(`installing ${names.join(', ')}\n`);
  try {
    await install().catch(async () => {
      signal?.throwIfAborted();
      await runProgram('apt-get', ['update', '-q'], { signal, onOutput: onProgress, follow: true });
      await install();
    });
  } catch (cause) {
    if (signal?.aborted === true) {
      throw new VmplugError('aborted', {
        action: 'install',
        subject: names.join(' '),
        reason: 'the caller gave up',
        cause,
      });
    }
    throw missingError(missing, 'apt could not install it', cause);
  }
  const still = await missingPackages(missing);
  if (still.length > 0) throw missingError(still, 'apt reported success, but it is not there');
  return names;
}

/** Those of the packages whose program or file is not there. */
export async function missingPackages(packages: readonly NeededPackage[]): Promise<NeededPackage[]> {
  const present = await Promise.all(packages.map((entry) => isThere(entry.provides)));
  return packages.filter((_, index) => present[index] === false);
}

async function isThere(provides: string): Promise<boolean> {
  if (provides.startsWith('/')) return await canAccess(provides, constants.F_OK);
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'].filter(
    (folder) => folder !== '',
  );
  for (const folder of folders) {
    if (await canAccess(join(folder, provides), constants.X_OK)) return true;
  }
  return false;
}

async function canAccess(path: string, mode: number): Promise<boolean> {
  return await access(path, mode).then(
    () => true,
    () => false,
  );
}

function missingError(missing: readonly NeededPackage[], reason: string, cause?: unknown): VmplugError {
  const names = missing.map((entry) => entry.package);
  const uses = missing.map((entry) => `${entry.package} (${entry.why})`).join(', ');
  return new VmplugError('missing-package', {
    action: 'look for',
    subject: names.join(' '),
    reason: `${reason}: ${uses}`,
    hint: `sudo apt-get install --no-install-recommends ${names.join(' ')}`,
    cause,
  });
}
