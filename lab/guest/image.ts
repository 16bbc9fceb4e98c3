import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { z } from 'zod';
import { VmplugError } from '../../src/api/errors.ts';
import { cacheDirectory } from '../../src/host/cache-directory.ts';
import { cpioArchive } from './cpio.ts';
import { downloadPackages, unpackPackage, type GuestKernel } from './debian.ts';
import { guestFiles, modulesOf, packageFiles } from './initramfs.ts';
import { systemCode } from './system-code.ts';

/** A kernel and an initramfs that QEMU boots with `-kernel` and `-initrd`. */
export interface GuestImage {
  kernel: string;
  initrd: string;
  /** The kernel's release, as `uname -r` prints it in the guest. */
  kernelVersion: string;
}

export interface GuestImageOptions extends Partial<GuestKernel> {
  /** Default: {@link cacheDirectory}. */
  cacheDir?: string;
  /** Told what is going on while an image is made; an image that is there already says nothing. */
  onProgress?: (text: string) => void;
  signal?: AbortSignal;
}

/** Raised when this code makes another image of the same files. */
const builderVersion = 1;

/**
 * The lab guest, by default of amd64 with the cloud kernel: made of Debian packages on first use (needs apt, dpkg and once a network; no root), afterwards
 * found in the cache within milliseconds. Safe when several processes do it at once.
 *
 * @throws VmplugError `missing-package` if the packages cannot be had, `state-unavailable` if the cache directory
 * cannot be written, `unsupported` if Debian has no such kernel, `aborted`.
 */
export async function ensureGuestImage(options: GuestImageOptions = {}): Promise<GuestImage> {
  const { onProgress = () => {}, signal } = options;
  const { directory, kernel, key, stamp } = placeOf(options);
  const ready = await readStamp(directory, stamp);
  if (ready !== undefined) return ready;
  try {
    return await build({ directory, kernel, key, stamp, onProgress, signal });
  } catch (cause) {
    if (cause instanceof VmplugError) throw cause;
    if (signal?.aborted === true) {
      throw new VmplugError('aborted', {
        action: 'build the guest',
        subject: directory,
        reason: 'the caller gave up',
        cause,
      });
    }
    throw new VmplugError(systemCode(cause) === undefined ? 'internal-error' : 'state-unavailable', {
      action: 'build the guest',
      subject: directory,
      reason: cause instanceof Error ? cause.message : String(cause),
      hint: 'VMPLUG_CACHE_DIR names another directory.',
      cause,
    });
  }
}

/**
 * The same image, if it is in the cache: nothing is made.
 */
export async function findGuestImage(options: GuestImageOptions = {}): Promise<GuestImage | undefined> {
  const { directory, stamp } = placeOf(options);
  return await readStamp(directory, stamp);
}

/** Which image is meant, and where it is kept. */
function placeOf(options: GuestImageOptions): Pick<Build, 'directory' | 'kernel' | 'key' | 'stamp'> {
  const { architecture = 'amd64' } = options;
  const flavour = options.flavour ?? (architecture === 's390x' ? 'full' : 'cloud');
  const kernel: GuestKernel = { architecture, flavour };
  const directory = join(options.cacheDir ?? cacheDirectory(), 'guest');
  const key = guestKey(kernel);
  return { directory, kernel, key, stamp: join(directory, `image-${key}.json`) };
}

/** Changes with everything of the guest that is made here. */
function guestKey(kernel: GuestKernel): string {
  const all = JSON.stringify([builderVersion, kernel, modulesOf(kernel), guestFiles()]);
  return createHash('sha256').update(all).digest('hex').slice(0, 16);
}

/** The record of an image that is in the cache, sizes in bytes. */
const stampSchema = z.object({
  folder: z.string(),
  kernelVersion: z.string(),
  kernelSize: z.number(),
  initrdSize: z.number(),
});

/** The recorded image, if it is whole. */
async function readStamp(directory: string, file: string): Promise<GuestImage | undefined> {
  try {
    const stamp = stampSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    const image = imageIn(join(directory, stamp.folder), stamp.kernelVersion);
    const [kernel, initrd] = await Promise.all([stat(image.kernel), stat(image.initrd)]);
    return kernel.size === stamp.kernelSize && initrd.size === stamp.initrdSize ? image : undefined;
  } catch {
    return undefined;
  }
}

function imageIn(folder: string, kernelVersion: string): GuestImage {
  return { kernel: join(folder, 'vmlinuz'), initrd: join(folder, 'initrd.gz'), kernelVersion };
}

interface Build {
  directory: string;
  kernel: GuestKernel;
  key: string;
  stamp: string;
  onProgress: (text: string) => void;
  signal: AbortSignal | undefined;
}

async function build({ directory, kernel, key, stamp, onProgress, signal }: Build): Promise<GuestImage> {
  await mkdir(directory, { recursive: true });
  await sweep(directory);
  const { architecture, flavour } = kernel;
  const own =
    architecture === 'amd64' && flavour === 'cloud' ? 'packages' : `packages-${architecture}-${flavour}`;
  const packages = await downloadPackages({ ...kernel, directory: join(directory, own), onProgress, signal });
  const work = await mkdtemp(join(directory, 'building-'));
  try {
    onProgress('building the guest\n');
    const root = join(work, 'root');
    await unpackPackage(packages.kernel, root, signal);
    await unpackPackage(packages.busybox, root, signal);
    const boot = (await readdir(join(root, 'boot'))).find((name) => name.startsWith('vmlinuz-'));
    if (boot === undefined) throw new Error(`no kernel in ${basename(packages.kernel)}`);
    const kernelVersion = boot.slice('vmlinuz-'.length);
    const archive = cpioArchive([...guestFiles(), ...(await packageFiles(root, modulesOf(kernel), signal))]);
    const initrd = await promisify(gzip)(archive, { level: 1 });

    const made = join(work, 'image');
    await mkdir(made);
    await rename(join(root, 'boot', boot), join(made, 'vmlinuz'));
    await writeFile(join(made, 'initrd.gz'), initrd);
    const kernelSize = (await stat(join(made, 'vmlinuz'))).size;
    signal?.throwIfAborted();

    const folder = `${packages.version.replaceAll(/[^A-Za-z0-9.+~-]/g, '_')}-${key}`;
    await replaceFolder(made, join(directory, folder), join(work, 'old'));
    const record: z.infer<typeof stampSchema> = {
      folder,
      kernelVersion,
      kernelSize,
      initrdSize: initrd.length,
    };
    await writeFile(join(work, 'stamp'), JSON.stringify(record));
    await rename(join(work, 'stamp'), stamp);
    return imageIn(join(directory, folder), kernelVersion);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Removes what builds that were killed have left: a hundred megabytes each. */
async function sweep(directory: string): Promise<void> {
  const hourAgo = Date.now() - 3_600_000;
  for (const name of await readdir(directory)) {
    if (!name.startsWith('building-')) continue;
    const path = join(directory, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < hourAgo) await rm(path, { recursive: true, force: true });
  }
}

/**
 * Moves a folder to its final place. What is there already is either broken or the equal work of another process,
 * which then finds ours: the same bytes.
 */
async function replaceFolder(made: string, place: string, aside: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await rename(made, place);
      return;
    } catch (error) {
      const code = systemCode(error);
      if ((code !== 'ENOTEMPTY' && code !== 'EEXIST') || attempt === 5) throw error;
    }
    await rename(place, `${aside}${attempt}`).catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') throw error;
    });
  }
}
