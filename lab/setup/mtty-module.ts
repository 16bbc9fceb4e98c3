import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VmplugError } from '../../src/api/errors.ts';
import { downloadDebs, ownLists, systemLists } from '../guest/apt.ts';
import { unpackPackage } from '../guest/debian.ts';
import { runProgram } from '../guest/run-program.ts';
import { cachedFolder } from './cached-folder.ts';
import { ensurePackages, kernelModulePackages } from './packages.ts';

/** A kernel of Debian by its release (`uname -r`, `6.1.0-56-amd64`) and the version of its package (`6.1.192-2`). */
export interface DebianKernel {
  readonly release: string;
  readonly version: string;
}

/** Debian's names of what a module for a kernel is compiled with. */
interface KernelParts {
  readonly headers: string;
  readonly commonHeaders: string;
  readonly tools: string;
  readonly source: string;
}

function partsOf({ release }: DebianKernel): KernelParts {
  const series = release.split('.').slice(0, 2).join('.');
  return {
    headers: `linux-headers-${release}`,
    commonHeaders: `linux-headers-${release.replace(/-[^-]+$/, '-common')}`,
    tools: `linux-kbuild-${series}`,
    source: `linux-source-${series}`,
  };
}

/** The packages with which a module for just this kernel is compiled, as apt takes them. */
export function modulePackagesOf(kernel: DebianKernel): string[] {
  const { headers, commonHeaders, tools, source } = partsOf(kernel);
  return [headers, commonHeaders, tools, source].map((name) => `${name}=${kernel.version}`);
}

/**
 * The kernel's sample of a driver that makes mediated devices (`samples/vfio-mdev/mtty.c`), which Debian does not build:
 * emulated serial cards that give back what is written to them. Compiled once for each kernel, of the packages of just
 * that kernel: 155 MB, of which the source is 139 and one file of it used. Nothing is installed but a compiler.
 *
 * @returns the path of `mtty.ko`; it needs the module `mdev`, which Debian does build
 * @throws VmplugError `missing-package` when apt has no compiler, or not the packages of that kernel;
 * `start-failed` with the compiler's words
 */
export async function mttyModule(kernel: DebianKernel): Promise<string> {
  const folder = await cachedFolder('mtty', [kernel.release, kernel.version], async (made) => {
    await ensurePackages(kernelModulePackages);
    process.stderr.write(`compiling the kernel's mtty for ${kernel.release} (${kernel.version})\n`);
    const work = join(made, 'work');
    const [root, module] = [join(work, 'root'), join(work, 'module')];
    await mkdir(module, { recursive: true });
    for (const file of await bring(modulePackagesOf(kernel), work)) await unpackPackage(file, root);
    await compile(join(root, 'usr/src'), partsOf(kernel), module);
    await rename(join(module, 'mtty.ko'), join(made, 'mtty.ko'));
    await rm(work, { recursive: true });
  });
  return join(folder, 'mtty.ko');
}

/** Downloads packages: with the system's lists, or where these do not know them with lists of our own. */
async function bring(names: readonly string[], directory: string): Promise<string[]> {
  try {
    return await downloadDebs(systemLists(), names, directory, undefined).catch(async () => {
      await using lists = await ownLists(directory, {}, undefined);
      return await downloadDebs(lists.apt, names, directory, undefined);
    });
  } catch (cause) {
    throw new VmplugError('missing-package', {
      action: 'bring',
      subject: names.join(' '),
      reason: cause instanceof Error ? cause.message : String(cause),
      hint: `a module fits one kernel only: see whether "apt-get download ${names.join(' ')}" works`,
      cause,
    });
  }
}

/**
 * Compiles an external module (Linux, Documentation/kbuild/modules.rst) in `module`. The common Makefile is named,
 * because the other one includes it from where the package would be installed.
 */
async function compile(src: string, parts: KernelParts, module: string): Promise<void> {
  const member = `${parts.source}/samples/vfio-mdev/mtty.c`;
  // The archive ends for tar with the first file of that name.
  const one = ['--occurrence=1', '--strip-components=3', member];
  await runProgram('tar', ['-xf', join(src, `${parts.source}.tar.xz`), '-C', module, ...one]);
  await writeFile(join(module, 'Makefile'), 'obj-m := mtty.o\n');
  const makefile = join(src, parts.commonHeaders, 'Makefile');
  await runProgram('make', ['-C', join(src, parts.headers), '-f', makefile, `M=${module}`, 'modules']);
}
