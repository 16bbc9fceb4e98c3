import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory } from '../../src/host/cache-directory.ts';
import { systemCode } from '../guest/system-code.ts';

/**
 * A folder of the cache that is made once: `fill` is called with an empty folder, which gets its place when it
 * is full. Safe when several processes do it at once, or are killed while they do.
 *
 * @param recipe everything on which the contents depend; another one makes another folder
 * @returns the folder
 * @throws what `fill` throws; nothing is left then
 */
export async function cachedFolder(
  name: string,
  recipe: readonly string[],
  fill: (folder: string) => Promise<void>,
  cache: string = cacheDirectory(),
): Promise<string> {
  const folder = placeOf(cache, name, recipe);
  if (await isThere(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, `making-${name}-`));
  try {
    const made = join(work, 'made');
    await mkdir(made);
    await fill(made);
    await rename(made, folder).catch((error: unknown) => {
      // Another process was faster: its work is equal to ours.
      const code = systemCode(error);
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

/** The same folder, if it was made before. */
export async function findCachedFolder(name: string, recipe: readonly string[]): Promise<string | undefined> {
  const folder = placeOf(cacheDirectory(), name, recipe);
  return (await isThere(folder)) ? folder : undefined;
}

function placeOf(cache: string, name: string, recipe: readonly string[]): string {
  const key = createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 16);
  return join(cache, `${name}-${key}`);
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
