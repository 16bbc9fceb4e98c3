import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VmplugError } from '../../src/api/errors.ts';
import { systemLists } from '../guest/apt.ts';
import { unpackPackage } from '../guest/debian.ts';
import { runProgram } from '../guest/run-program.ts';
import { cachedFolder } from './cached-folder.ts';

export interface UnpackOptions {
  /** Told what is going on. Default: stderr. */
  readonly onProgress?: (text: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Brings Debian packages, with everything that they depend on and the system lacks, and unpacks them into a
 * folder of the cache without installing anything: `FOLDER/usr/bin`, `FOLDER/usr/lib/…`. Done once.
 *
 * @returns the folder
 * @throws VmplugError `missing-package` if apt cannot bring them, `aborted`
 */
export async function unpackPackages(
  name: string,
  packages: readonly string[],
  { onProgress = (text) => void process.stderr.write(text), signal }: UnpackOptions = {},
): Promise<string> {
  return await cachedFolder(name, packages, async (folder) => {
    onProgress(`bringing ${packages.join(', ')}\n`);
    const archives = join(folder, 'archives');
    await mkdir(join(archives, 'partial'), { recursive: true });
    const bring = [...aptOptions(archives), 'install', '--download-only', '-y', '-q', ...packages];
    try {
      await runProgram('apt-get', bring, { signal }).catch(async () => {
        signal?.throwIfAborted();
        await runProgram('apt-get', ['update', '-q'], { signal });
        await runProgram('apt-get', bring, { signal });
      });
    } catch (cause) {
      if (signal?.aborted === true) throw aborted(packages, cause);
      throw missing(packages, cause);
    }
    for (const file of await readdir(archives)) {
      if (file.endsWith('.deb')) await unpackPackage(join(archives, file), folder, signal);
    }
    await rm(archives, { recursive: true });
  });
}

/** Nothing of the system is changed, so no lock of the system is taken. */
function aptOptions(archives: string): string[] {
  const options = [`Dir::Cache::archives=${archives}`, 'Debug::NoLocking=1', 'APT::Install-Recommends=0'];
  return [...systemLists(), ...options.flatMap((option) => ['-o', option])];
}

function missing(packages: readonly string[], cause: unknown): VmplugError {
  return new VmplugError('missing-package', {
    action: 'bring',
    subject: packages.join(' '),
    reason: cause instanceof Error ? cause.message : String(cause),
    hint: `apt needs a source that has them: see whether "apt-get install --download-only ${packages.join(' ')}" works`,
    cause,
  });
}

function aborted(packages: readonly string[], cause: unknown): VmplugError {
  return new VmplugError('aborted', {
    action: 'bring',
    subject: packages.join(' '),
    reason: 'the caller gave up',
    cause,
  });
}
