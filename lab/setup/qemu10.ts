import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VmplugError } from '../../src/api/errors.ts';
import { downloadDebs, ownLists, releaseName } from '../guest/apt.ts';
import { unpackPackage } from '../guest/debian.ts';
import { runProgram } from '../guest/run-program.ts';
import { cachedFolder, findCachedFolder } from './cached-folder.ts';

/** A QEMU and how it is started. */
export interface QemuBinary {
  program: string;
  /** Goes before all other arguments. */
  args: readonly string[];
  /** Goes into its environment. */
  env: Readonly<Record<string, string>>;
  /** What it says of itself, `10.0.2`. */
  version: string;
  /** One program that does all this, for whoever takes a path only, as `vmplug sandbox run --qemu` does. The process is QEMU's own. */
  wrapper: string;
}

export interface Qemu10Options {
  /** Told what is going on while it is brought. */
  onProgress?: (text: string) => void;
  signal?: AbortSignal;
}

const suiteSuffix = '-backports';
const packages = [
  ...['qemu-system-x86', 'qemu-system-common', 'qemu-system-data', 'seabios'],
  // A module that QEMU does not find in its own tree it takes from the system, and aborts: it is of another build.
  ...['qemu-system-gui', 'qemu-system-modules-opengl', 'qemu-system-modules-spice', 'qemu-block-extra'],
];
/** The network boot ROMs are the system's, a dependency of its own QEMU. */
const systemRoms = '/usr/lib/ipxe/qemu';
const modules = 'usr/lib/x86_64-linux-gnu/qemu';

/** Starts the QEMU that is in the same folder as the script. */
const wrapperScript = `#!/bin/sh
here=\${0%/*}
export QEMU_MODULE_DIR="$here/${modules}"
exec "$here/usr/bin/qemu-system-x86_64" -L "$here/usr/share/qemu" -L "$here/usr/share/seabios" -L ${systemRoms} "$@"
`;

const name = 'qemu-10';
const recipe = [...packages, suiteSuffix, wrapperScript];

/**
 * QEMU 10 for x86 beside the system's 7.2: the packages of bookworm-backports, unpacked into the cache on first use
 * (needs apt, dpkg and once a network; no root). Nothing is installed. Its libraries are those of the system's QEMU.
 *
 * @throws VmplugError `missing-package` if it cannot be had, `aborted`.
 */
export async function ensureQemu10(options: Qemu10Options = {}): Promise<QemuBinary> {
  const { onProgress = () => {}, signal } = options;
  try {
    const folder = await cachedFolder(name, recipe, async (made) => {
      onProgress('downloading QEMU 10 from backports (20 MB)\n');
      await fill(made, signal);
    });
    return await binaryIn(folder);
  } catch (cause) {
    throw new VmplugError(signal?.aborted === true ? 'aborted' : 'missing-package', {
      action: 'bring',
      subject: 'QEMU 10',
      reason: cause instanceof Error ? cause.message : String(cause),
      hint: 'It comes from the backports of the Debian archive that apt has for this release, bookworm.',
      cause,
    });
  }
}

/** The same, if it is in the cache: nothing is downloaded. */
export async function findQemu10(): Promise<QemuBinary | undefined> {
  const folder = await findCachedFolder(name, recipe);
  return folder === undefined ? undefined : await binaryIn(folder);
}

async function binaryIn(folder: string): Promise<QemuBinary> {
  const firmware = [join(folder, 'usr/share/qemu'), join(folder, 'usr/share/seabios'), systemRoms];
  return {
    program: join(folder, 'usr/bin/qemu-system-x86_64'),
    args: firmware.flatMap((place) => ['-L', place]),
    env: { QEMU_MODULE_DIR: join(folder, modules) },
    version: await readFile(join(folder, 'version'), 'utf8'),
    wrapper: join(folder, 'qemu-system-x86_64'),
  };
}

async function fill(folder: string, signal: AbortSignal | undefined): Promise<void> {
  await using lists = await ownLists(folder, { suiteSuffix }, signal);
  const suite = `${await releaseName()}${suiteSuffix}`;
  const archives = join(folder, 'archives');
  await mkdir(archives);
  const named = packages.map((deb) => `${deb}/${suite}`);
  for (const file of await downloadDebs(lists.apt, named, archives, signal)) {
    await unpackPackage(file, folder, signal);
  }
  await rm(archives, { recursive: true });
  await writeFile(join(folder, 'qemu-system-x86_64'), wrapperScript, { mode: 0o755 });
  await writeFile(join(folder, 'version'), await versionOf(join(folder, 'qemu-system-x86_64'), signal));
}

async function versionOf(program: string, signal: AbortSignal | undefined): Promise<string> {
  const words = (await runProgram(program, ['--version'], { signal })).toString();
  const version = /version (\d+\.\d+\.\d+)/.exec(words)?.[1];
  if (version === undefined) throw new Error(`${program} says no version: ${words}`);
  return version;
}
