import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fakeHost, temporaryDirectory } from '../host.testing.ts';
import { resolveDisk } from '../disk/resolve-disk.ts';
import { resolvePmem, type ResolvePmemOptions } from './resolve-pmem.ts';

const resolve = (source: string, options: Partial<ResolvePmemOptions> = {}) =>
  resolvePmem(source, { readOnly: false, ...options });

function file(path: string, size: number): string {
  writeFileSync(path, '');
  truncateSync(path, size);
  return path;
}

describe('resolvePmem', () => {
  it('takes a file by what it is', async () => {
    using directory = temporaryDirectory();
    const path = file(join(directory.path, 'a,b'), 12288);
    symlinkSync('a,b', join(directory.path, 'soft'));
    const stat = statSync(path, { bigint: true });
    expect(await resolve('soft', { cwd: directory.path })).toEqual({
      kind: 'pmem',
      source: 'soft',
      path,
      size: 12288,
      identities: [{ key: `file:${stat.dev}:${stat.ino}`, mode: 'exclusive' }],
      readOnly: false,
      shareRw: false,
    });
  });

  it('claims what a disk on the same file claims', async () => {
    using directory = temporaryDirectory();
    const path = file(join(directory.path, 'a'), 4096);
    linkSync(path, join(directory.path, 'hard'));
    for (const options of [
      { readOnly: false, shareRw: false },
      { readOnly: true, shareRw: false },
      { readOnly: false, shareRw: true },
    ]) {
      const disk = await resolveDisk(join(directory.path, 'hard'), { ...options, force: false });
      expect(await resolve(path, options)).toMatchObject({ ...options, identities: disk.identities });
    }
  });

  it.each<[number, string, number]>([
    [0, '4096 is the nearest', 4096],
    [1, '4096 is the nearest', 4096],
    [4095, '4096 is the nearest', 4096],
    [4097, '4096 and 8192 are the nearest', 8192],
    [1_000_000, '999424 and 1003520 are the nearest', 1_003_520],
  ])('refuses %d bytes, and names the sizes that will do', async (size, nearest, larger) => {
    using directory = temporaryDirectory();
    await expect(resolve(file(join(directory.path, 'a'), size))).rejects.toMatchObject({
      code: 'pmem-size',
      message: expect.stringMatching(`is ${size} bytes.*${nearest}`),
      hint: expect.stringContaining(`truncate -s ${larger} `),
    });
  });

  it('refuses what QEMU would put a file into or in the place of, and makes none', async () => {
    using directory = temporaryDirectory();
    const at = (name: string) => join(directory.path, name);
    mkdirSync(at('directory'));
    symlinkSync('none', at('dangling'));
    const cases: [string, string][] = [
      ['directory', 'source-unsuitable'],
      ['none', 'source-not-found'],
      ['dangling', 'source-not-found'],
    ];
    for (const [name, code] of cases)
      await expect(resolve(at(name)), name).rejects.toMatchObject({
        code,
        action: 'use as persistent memory',
      });
    expect(readdirSync(directory.path).sort()).toEqual(['dangling', 'directory']);
    expect(readdirSync(at('directory'))).toEqual([]);
  });

  it('refuses what is neither a file nor a block node', async () => {
    using directory = temporaryDirectory();
    execFileSync('mkfifo', [join(directory.path, 'fifo')]);
    for (const source of [join(directory.path, 'fifo'), '/dev/null', '/proc/self/mountinfo'])
      await expect(resolve(source), source).rejects.toMatchObject({ code: 'source-unsuitable' });
    for (const source of ['', 'a\0b'])
      await expect(resolve(source)).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  it('refuses what this host uses, except by force', async () => {
    using host = fakeHost();
    const path = file(join(host.directory, 'swap'), 8192);
    host.write('proc/swaps', `Filename\n${path} file\n`);
    await expect(resolve(path, { paths: host.paths })).rejects.toMatchObject({
      code: 'source-in-use',
      message: expect.stringContaining('swap space'),
    });
    expect((await resolve(path, { paths: host.paths, force: true })).size).toBe(8192);
  });

  it('is given up when the caller gives up', async () => {
    await expect(resolve('/etc/passwd', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
  });
});
