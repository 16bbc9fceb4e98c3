import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { VmplugError } from '../../src/api/errors.ts';
import { downloadDebs, hostArchitecture, ownLists, systemLists, type Architecture } from './apt.ts';
import { runProgram } from './run-program.ts';

/** Debian packages, unchanged, as files. */
export interface GuestPackages {
  kernel: string;
  busybox: string;
  /** The version of the kernel package, such as `6.1.192-2`. */
  version: string;
}

/** Which guest the packages are for. */
export interface GuestKernel {
  architecture: Architecture;
  /** Debian's `cloud` kernels are small and have no drivers for hardware; the `full` one has all. */
  flavour: 'cloud' | 'full';
}

/** The metapackage that always depends on the newest kernel; undefined where Debian has no such kernel. */
export function metapackageOf({ architecture, flavour }: GuestKernel): string | undefined {
  if (flavour === 'full') return `linux-image-${architecture}`;
  return architecture === 's390x' ? undefined : `linux-image-cloud-${architecture}`;
}

export interface DownloadOptions extends GuestKernel {
  /** Where the packages go and stay; what is there is not downloaded again. */
  directory: string;
  onProgress: (text: string) => void;
  signal?: AbortSignal | undefined;
}

/**
 * Brings the guest's packages from the system's own apt sources, as any user and without changing the system:
 * first with the package lists that the system has, then with lists of our own. Without a network the newest
 * packages that were brought before are used.
 *
 * @throws VmplugError `missing-package` if they cannot be had, `unsupported` if Debian has no such kernel, `aborted`.
 */
export async function downloadPackages(options: DownloadOptions): Promise<GuestPackages> {
  const { directory, onProgress, signal, architecture } = options;
  const metapackage = metapackageOf(options);
  if (metapackage === undefined) {
    throw new VmplugError('unsupported', {
      action: 'bring the guest kernel for',
      subject: architecture,
      reason: `Debian has no ${options.flavour} kernel for it`,
    });
  }
  await mkdir(directory, { recursive: true });
  const failures: unknown[] = [];
  if (architecture === hostArchitecture) {
    try {
      return await download(systemLists(), metapackage, options);
    } catch (error) {
      signal?.throwIfAborted();
      failures.push(error);
      onProgress('the package lists of the system do not serve; bringing own lists\n');
    }
  }
  try {
    await using lists = await ownLists(directory, { architecture }, signal);
    return await download(lists.apt, metapackage, options);
  } catch (cause) {
    signal?.throwIfAborted();
    const earlier = await packagesIn(directory);
    if (earlier !== undefined) return earlier;
    throw new VmplugError('missing-package', {
      action: 'bring the guest kernel',
      subject: metapackage,
      reason: cause instanceof Error ? cause.message : String(cause),
      hint: `The lab guest is made of Debian's ${metapackage} and busybox-static: apt needs a source that has them. See whether "apt-get download ${metapackage}" works.`,
      cause: new AggregateError([...failures, cause], 'apt brought neither'),
    });
  }
}

async function download(
  apt: readonly string[],
  metapackage: string,
  options: DownloadOptions,
): Promise<GuestPackages> {
  const { directory, onProgress, signal } = options;
  const shown = await runProgram('apt-cache', [...apt, 'show', '--no-all-versions', metapackage], { signal });
  const kernel = kernelPackageIn(shown.toString());
  if (kernel === undefined) throw new Error(`apt knows no kernel package for ${metapackage}`);
  const present = await packagesIn(directory, kernel);
  if (present !== undefined) return present;
  onProgress(`downloading ${kernel.name} ${kernel.version} and busybox-static\n`);
  await downloadDebs(apt, [`${kernel.name}=${kernel.version}`, 'busybox-static'], directory, signal);
  const files = await packagesIn(directory, kernel);
  if (files === undefined) throw new Error('apt reported success and left no package');
  return files;
}

interface KernelPackage {
  name: string;
  version: string;
}

/** Finds the kernel package and its version in the `Depends` line of the metapackage's description. */
export function kernelPackageIn(description: string): KernelPackage | undefined {
  const found = /^Depends:.*?\b(linux-image-[0-9][^ ,]*) \(= ([^)]+)\)/m.exec(description);
  return found === null ? undefined : { name: found[1] ?? '', version: found[2] ?? '' };
}

/** The newest of each package in a directory; the kernel exactly as `wanted`, if given. */
async function packagesIn(directory: string, wanted?: KernelPackage): Promise<GuestPackages | undefined> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.deb'));
  const newest = async (prefix: string): Promise<string | undefined> => {
    const found = await Promise.all(
      names
        .filter((name) => name.startsWith(prefix))
        .map(async (name) => ({ name, time: (await stat(join(directory, name))).mtimeMs })),
    );
    return found.sort((a, b) => b.time - a.time)[0]?.name;
  };
  // apt writes the colon of a version's epoch as %3a in file names.
  const kernel = await newest(
    wanted === undefined ? 'linux-image-' : `${wanted.name}_${wanted.version.replaceAll(':', '%3a')}_`,
  );
  const busybox = await newest('busybox-static_');
  if (kernel === undefined || busybox === undefined) return undefined;
  const version = kernel.split('_')[1] ?? '';
  return { kernel: join(directory, kernel), busybox: join(directory, busybox), version };
}

/**
 * Unpacks a Debian package into a directory, without installing it.
 *
 * @throws VmplugError as `runProgram` does.
 */
export async function unpackPackage(file: string, into: string, signal?: AbortSignal): Promise<void> {
  await runProgram('dpkg-deb', ['-x', file, into], { signal });
}
