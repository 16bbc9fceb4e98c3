import { mkdir, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheDirectory } from '../../src/host/cache-directory.ts';
import { cpioArchive, type CpioEntry } from '../guest/cpio.ts';
import { downloadPackages, unpackPackage } from '../guest/debian.ts';
import { guestFiles, packageFiles } from '../guest/initramfs.ts';
import { runProgram } from '../guest/run-program.ts';
import { cachedFolder } from '../setup/cached-folder.ts';
import { ensureQemu10 } from '../setup/qemu10.ts';
import { iommus, outerArguments, type Iommu, type OuterFiles } from './machine.ts';
import { innerModules, outerModules } from './modules.ts';
import { savedBy, saveOuter } from './save-outer.ts';
import { outerInit, outerInittab, outerRc } from './scripts.ts';
import type { Stages } from './stages.ts';
import { makeTree } from './tree.ts';
import { extractVmlinux } from './vmlinux.ts';

/** The outer machine, ready to be started or resumed. */
export interface OuterImage extends OuterFiles {
  /** From what it is resumed: with an IOMMU the inner guest runs in it. */
  readonly states: Readonly<Record<Iommu, string>>;
}

/** Raised when this code makes another image of the same files. */
const builderVersion = 4;

const systemQemu = '/usr/bin/qemu-system-x86_64';
const systemFirmware = ['/usr/share/qemu', '/usr/share/seabios'];

/**
 * Makes the outer guest's disk and the state from which it is resumed, once for everything that they depend on;
 * afterwards they are found in the cache. Safe when several processes do it at once.
 *
 * @throws VmplugError `missing-package`, `start-failed`; Error when a guest does not come up.
 */
export async function ensureOuterImage(stages: Stages): Promise<OuterImage> {
  const onProgress = (text: string): void => void process.stderr.write(text);
  const packages = join(cacheDirectory(), 'guest', 'packages-amd64-full');
  const [kernel, qemu10] = await stages.time(
    'packages',
    async () =>
      [
        await downloadPackages({ architecture: 'amd64', flavour: 'full', directory: packages, onProgress }),
        await ensureQemu10({ onProgress }),
      ] as const,
  );
  const programs = [process.execPath, systemQemu, qemu10.program];
  const recipe = [
    ...[
      String(builderVersion),
      kernel.version,
      qemu10.version,
      ...(await Promise.all(programs.map(identity))),
    ],
    ...[...outerModules, ...innerModules, outerInit, outerInittab, outerRc, ...savedBy],
    ...[
      JSON.stringify(guestFiles()),
      ...iommus.flatMap((iommu) => outerArguments(filesIn('', ''), noChannels, iommu)),
    ],
  ];
  const folder = await cachedFolder('vfio', recipe, async (made) => {
    const work = join(made, 'work');
    const files = filesIn(made, qemu10.wrapper);
    const [root, tree] = [join(work, 'packages'), join(work, 'tree')];
    await mkdir(tree, { recursive: true });
    const bootImage = await stages.time('unpack the kernel', async () => {
      await unpackPackage(kernel.kernel, root);
      await unpackPackage(kernel.busybox, root);
      const boot = (await readdir(join(root, 'boot'))).find((name) => name.startsWith('vmlinuz-'));
      if (boot === undefined) throw new Error('the package has no kernel');
      await extractVmlinux(join(root, 'boot', boot), files.kernel);
      await writeFile(files.initrd, await outerInitrd(root));
      return join(root, 'boot', boot);
    });
    await stages.time('make the disk', async () => {
      await makeTree(tree, {
        node: process.execPath,
        qemu: systemQemu,
        firmware: systemFirmware,
        qemu10: join(qemu10.program, '../../..'),
        busybox: join(root, 'bin/busybox'),
        innerKernel: bootImage,
        innerInitrd: cpioArchive([...guestFiles(), ...(await packageFiles(root, innerModules))]),
      });
      await runProgram('mkfs.ext4', [
        '-q',
        '-m',
        '0',
        '-O',
        '^has_journal',
        '-d',
        tree,
        files.disk,
        `${await diskSize(tree)}k`,
      ]);
    });
    for (const iommu of iommus) await saveOuter(files, iommu, files.states[iommu], join(work, iommu), stages);
    await rm(work, { recursive: true });
  });
  await removeUnused(folder);
  return filesIn(folder, qemu10.wrapper);
}

/** One is near a gigabyte: of those that other files made, the ones that nobody used for a day are removed. */
async function removeUnused(used: string): Promise<void> {
  const now = Date.now();
  await utimes(used, now / 1000, now / 1000);
  for (const name of await readdir(dirname(used))) {
    const path = join(dirname(used), name);
    if (!name.startsWith('vfio-') || path === used) continue;
    const { mtimeMs } = await stat(path);
    if (mtimeMs < now - 86_400_000) await rm(path, { recursive: true, force: true });
  }
}

const noChannels = { directory: '', checkout: '', work: '' };

function filesIn(folder: string, qemu: string): OuterImage {
  const at = (name: string): string => join(folder, name);
  return {
    qemu,
    kernel: at('vmlinux'),
    initrd: at('initrd'),
    disk: at('disk.ext4'),
    states: {
      on: at('on.state'),
      off: at('off.state'),
      'no-interrupt-remapping': at('no-interrupt-remapping.state'),
    },
  };
}

/** Changes when a file is another one. */
async function identity(path: string): Promise<string> {
  const { size, mtimeMs } = await stat(path);
  return `${path} ${size} ${mtimeMs}`;
}

async function outerInitrd(root: string): Promise<Buffer> {
  const folders = ['bin', 'dev', 'etc', 'lib', 'lib/modules', 'proc', 'root', 'sys'];
  return cpioArchive([
    ...folders.map((path): CpioEntry => ({ kind: 'directory', path })),
    { kind: 'symlink', path: 'sbin', target: 'bin' },
    { kind: 'symlink', path: 'bin/sh', target: 'busybox' },
    { kind: 'character-device', path: 'dev/console', major: 5, minor: 1 },
    { kind: 'file', path: 'init', data: outerInit, mode: 0o755 },
    ...(await packageFiles(root, outerModules)),
  ]);
}

/** In KiB, with room for the file system's own. */
async function diskSize(tree: string): Promise<number> {
  const used = Number((await runProgram('du', ['-sk', tree])).toString().split('\t')[0]);
  return Math.ceil(used * 1.1) + 16 * 1024;
}
