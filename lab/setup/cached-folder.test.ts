import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../src/host/host.testing.ts';
import { cachedFolder } from './cached-folder.ts';

let cache: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  cache = temporaryDirectory();
});
afterEach(() => cache[Symbol.dispose]());

const made = (recipe: string, fill: (folder: string) => Promise<void>): Promise<string> =>
  cachedFolder('thing', [recipe], fill, cache.path);
const put = (words: string) => (folder: string) => writeFile(join(folder, 'words'), words);
const never = (): Promise<void> => Promise.reject(new Error('it is there already'));

describe('a folder of the cache', () => {
  test('is filled once', async () => {
    const folder = await made('a', put('first'));
    expect(await made('a', never)).toBe(folder);
    expect(await readFile(join(folder, 'words'), 'utf8')).toBe('first');
  });

  test('is another one when it is made of something else', async () => {
    const folder = await made('a', put('first'));
    const other = await made('b', put('second'));
    expect(other).not.toBe(folder);
    expect(await readFile(join(other, 'words'), 'utf8')).toBe('second');
  });

  test('that cannot be filled leaves nothing, and is tried again', async () => {
    const broken = async (folder: string): Promise<void> => {
      await put('half')(folder);
      throw new Error('no network');
    };
    await expect(made('a', broken)).rejects.toThrow('no network');
    expect(await readdir(cache.path)).toEqual([]);
    await made('a', put('whole'));
  });

  test('that two make at once is one', async () => {
    const folders = await Promise.all([made('a', put('same')), made('a', put('same'))]);
    expect(folders[0]).toBe(folders[1]);
    expect(await readdir(cache.path)).toHaveLength(1);
  });
});
