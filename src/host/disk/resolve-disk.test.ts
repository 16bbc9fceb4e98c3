import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  statSync,
  symlinkSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VmplugError } from '../../api/errors.ts';
import { parseSource } from '../../api/source.ts';
import { resolveDisk, type ResolveDiskOptions } from './resolve-disk.ts';
import { fakeHost, qcow2Image, temporaryDirectory } from '../host.testing.ts';
import { unprivileged } from '../unprivileged.testing.ts';

const resolve = (source: string, options: Partial<ResolveDiskOptions> = {}) =>
  resolveDisk(source, { readOnly: false, shareRw: false, force: false, ...options });

function rawImage(path: string, size = 1 << 20): string {
  writeFileSync(path, '');
  truncateSync(path, size);
  return path;
}

describe('a raw image', () => {
  it('is known by device and inode, not by name', async () => {
    using directory = temporaryDirectory();
    const path = rawImage(join(directory.path, 'a.img'), 1000);
    linkSync(path, join(directory.path, 'hard'));
    symlinkSync('a.img', join(directory.path, 'soft'));
    const stat = statSync(path, { bigint: true });
    const disk = await resolve('./a.img', { cwd: directory.path });
    expect(disk).toEqual({
      kind: 'block',
      source: './a.img',
      layers: [{ path, format: 'raw', protocol: 'file' }],
      virtualSize: 1024,
      formatKey: `file:${stat.dev}:${stat.ino}:${stat.birthtimeNs}`,
      identities: [{ key: `file:${stat.dev}:${stat.ino}`, mode: 'exclusive' }],
      readOnly: false,
      shareRw: false,
      major: 0,
      minor: 0,
    });
    expect((await resolve(join(directory.path, 'hard'))).identities).toEqual(disk.identities);
    expect((await resolve(join(directory.path, 'soft'))).layers).toEqual(disk.layers);
  });

  it.each(['a,b.img', 'a b', 'new\nline', '日本語 é', 'quo\'te"', '-x', 'a:b'])(
    'may be called %j',
    async (name) => {
      using directory = temporaryDirectory();
      const path = rawImage(join(directory.path, name));
      expect((await resolve(path)).layers[0].path).toBe(path);
    },
  );

  it('W69: is another one when another file was put in its place since', async () => {
    using directory = temporaryDirectory();
    const path = rawImage(join(directory.path, 'a.img'));
    const before = await resolve(path);
    renameSync(rawImage(join(directory.path, 'b.img')), path);
    const after = await resolve(path);
    expect(after.layers).toEqual(before.layers);
    expect(after.identities[0].key).not.toBe(before.identities[0].key);
    expect(after.formatKey).not.toBe(before.formatKey);
  });

  it('claims by what it is needed for', async () => {
    using directory = temporaryDirectory();
    const path = rawImage(join(directory.path, 'a'));
    expect((await resolve(path, { readOnly: true })).identities[0].mode).toBe('shared-read');
    expect((await resolve(path, { shareRw: true })).identities[0].mode).toBe('shared-write');
    expect((await resolve(path, { shareRw: true, readOnly: true })).identities[0].mode).toBe('shared-write');
  });

  it('is not changed', async () => {
    using directory = temporaryDirectory();
    const path = rawImage(join(directory.path, 'a'));
    const before = statSync(path, { bigint: true });
    await resolve(path);
    const after = statSync(path, { bigint: true });
    expect([after.mtimeNs, after.ctimeNs, after.size]).toEqual([before.mtimeNs, before.ctimeNs, before.size]);
  });

  it('keeps its recorded format by its time of birth', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'a');
    writeFileSync(path, qcow2Image());
    const stat = statSync(path, { bigint: true });
    let asked = '';
    const recordedFormat = (key: string) => {
      asked = key;
      return 'raw' as const;
    };
    expect((await resolve(path, { recordedFormat })).layers[0].format).toBe('raw');
    expect(asked).toBe(`file:${stat.dev}:${stat.ino}:${stat.birthtimeNs}`);
  });
});

describe('what is no disk', () => {
  it.each(['', 'a\0b'])('%j is no path', async (source) => {
    await expect(resolve(source)).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  it('is told apart', async () => {
    using directory = temporaryDirectory();
    const at = (name: string) => join(directory.path, name);
    rawImage(at('file'));
    rawImage(at('empty'), 0);
    symlinkSync('loop-b', at('loop-a'));
    symlinkSync('loop-a', at('loop-b'));
    symlinkSync('nowhere', at('dangling'));
    mkdirSync(at('directory'));
    execFileSync('mkfifo', [at('fifo')]);
    const server = createServer().listen(at('socket'));
    await once(server, 'listening');
    const cases: [string, string, RegExp][] = [
      [at('none'), 'source-not-found', /no such file/],
      [at('dangling'), 'source-not-found', /symbolic link to nowhere/],
      [at('file/x'), 'source-not-found', /not a directory/],
      [at('x'.repeat(300)), 'invalid-argument', /too long/],
      [at('loop-a'), 'source-unsuitable', /circle/],
      [at('empty'), 'source-unsuitable', /empty/],
      [at('directory'), 'source-unsuitable', /directory/],
      [at('fifo'), 'source-unsuitable', /FIFO/],
      [at('socket'), 'source-unsuitable', /socket/],
      ['/dev/null', 'source-unsuitable', /character device/],
      ['/proc/self/mountinfo', 'source-unsuitable', /kernel/],
    ];
    try {
      for (const [source, code, message] of cases)
        await expect(resolve(source), source).rejects.toMatchObject({
          code,
          message: expect.stringMatching(message),
        });
    } finally {
      server.close();
    }
  });

  it('is something that another kind of source would take: the hint names one that there is', async () => {
    using directory = temporaryDirectory();
    const server = createServer().listen(join(directory.path, 'socket'));
    await once(server, 'listening');
    try {
      for (const name of ['socket', '.']) {
        const error = await resolve(join(directory.path, name)).catch((thrown: unknown) => thrown);
        const [, said = ''] = /say (\S+)/.exec(error instanceof VmplugError ? (error.hint ?? '') : '') ?? [];
        expect(parseSource(said).scheme, name).toMatch(/^vhost-user-/);
      }
    } finally {
      server.close();
    }
  });

  it('is not readable or not writable', async () => {
    using directory = temporaryDirectory();
    const path = rawImage(join(directory.path, 'a'));
    await unprivileged([directory.path, path], async () => {
      chmodSync(path, 0o400);
      await expect(resolve(path)).rejects.toMatchObject({
        code: 'source-unsuitable',
        hint: expect.any(String),
      });
      await resolve(path, { readOnly: true });
      chmodSync(path, 0);
      await expect(resolve(path, { readOnly: true })).rejects.toMatchObject({ code: 'source-unsuitable' });
    });
  });

  it('is swap space, except by force', async () => {
    using host = fakeHost();
    const path = rawImage(join(host.directory, 'swap'));
    host.write('proc/swaps', `Filename\n${path} file\n`);
    await expect(resolve(path, { paths: host.paths })).rejects.toMatchObject({ code: 'source-in-use' });
    await resolve(path, { paths: host.paths, force: true });
  });

  it('is given up when the caller gives up', async () => {
    const signal = AbortSignal.abort();
    await expect(resolve('/etc/passwd', { signal })).rejects.toMatchObject({ code: 'aborted' });
    using directory = temporaryDirectory();
    const controller = new AbortController();
    const pending = resolve(rawImage(join(directory.path, 'a')), { signal: controller.signal });
    controller.abort();
    await expect(pending).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('a qcow2 image', () => {
  it('brings its backing files, each claimed for reading', async () => {
    using directory = temporaryDirectory();
    const at = (name: string) => join(directory.path, name);
    mkdirSync(at('sub'));
    rawImage(at('base.raw'));
    writeFileSync(at('sub/mid.qcow2'), qcow2Image({ backing: '../base.raw', backingFormat: 'raw' }));
    writeFileSync(
      at('top.qcow2'),
      qcow2Image({ backing: 'sub/mid.qcow2', backingFormat: 'qcow2', virtualSize: 5000n }),
    );
    const disk = await resolve(at('top.qcow2'));
    expect(disk.layers).toEqual([
      { path: at('top.qcow2'), format: 'qcow2', protocol: 'file' },
      { path: at('sub/mid.qcow2'), format: 'qcow2', protocol: 'file' },
      { path: at('base.raw'), format: 'raw', protocol: 'file' },
    ]);
    expect(disk.virtualSize).toBe(4608);
    expect(disk.identities.map(({ mode }) => mode)).toEqual(['exclusive', 'shared-read', 'shared-read']);
  });

  it.each<[string, Parameters<typeof qcow2Image>[0], RegExp]>([
    ['missing', { backing: 'none', backingFormat: 'raw' }, /top\.qcow2.*none does not exist/],
    ['of unstated format', { backing: 'base.raw' }, /which format/],
    ['of a foreign format', { backing: 'base.raw', backingFormat: 'vmdk' }, /"vmdk"/],
    ['not qcow2 as stated', { backing: 'base.raw', backingFormat: 'qcow2' }, /does not start/],
    ['over a protocol', { backing: 'nbd:localhost:10809', backingFormat: 'raw' }, /not the path/],
    ['in JSON', { backing: 'json:{"driver":"file"}', backingFormat: 'raw' }, /not the path/],
    ['a directory', { backing: '.', backingFormat: 'raw' }, /directory/],
    ['itself', { backing: 'top.qcow2', backingFormat: 'qcow2' }, /circle/],
  ])('is refused when its backing is %s', async (_, parts, message) => {
    using directory = temporaryDirectory();
    rawImage(join(directory.path, 'base.raw'));
    const path = join(directory.path, 'top.qcow2');
    writeFileSync(path, qcow2Image(parts));
    await expect(resolve(path)).rejects.toMatchObject({
      code: 'source-unsuitable',
      message: expect.stringMatching(message),
    });
  });

  it('may be 32 images deep below the top, and no more', async () => {
    using directory = temporaryDirectory();
    const at = (index: number) => join(directory.path, `${index}.qcow2`);
    writeFileSync(at(0), qcow2Image());
    for (let index = 1; index <= 33; index++)
      writeFileSync(at(index), qcow2Image({ backing: `${index - 1}.qcow2`, backingFormat: 'qcow2' }));
    expect((await resolve(at(32))).layers).toHaveLength(33);
    await expect(resolve(at(33))).rejects.toThrow(/more than 32/);
  });

  it('is refused when a symbolic link makes its relative backing ambiguous', async () => {
    using directory = temporaryDirectory();
    const at = (name: string) => join(directory.path, name);
    mkdirSync(at('real'));
    mkdirSync(at('link'));
    writeFileSync(at('real/top.qcow2'), qcow2Image({ backing: 'base', backingFormat: 'raw' }));
    symlinkSync('../real/top.qcow2', at('link/top.qcow2'));
    rawImage(at('link/base'));
    expect((await resolve(at('link/top.qcow2'))).layers[1]?.path).toBe(at('link/base'));
    rawImage(at('real/base'));
    await expect(resolve(at('link/top.qcow2'))).rejects.toThrow(/could be/);
    expect((await resolve(at('real/top.qcow2'))).layers[1]?.path).toBe(at('real/base'));
  });

  it('is not shared for writing, nor written while dirty', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'a.qcow2');
    writeFileSync(path, qcow2Image({ incompatible: 1n }));
    await expect(resolve(path)).rejects.toThrow(/not closed/);
    await resolve(path, { readOnly: true });
    await expect(resolve(path, { readOnly: true, shareRw: true })).rejects.toThrow(/cannot be shared/);
  });

  it('is read as qemu-img writes it', async () => {
    using directory = temporaryDirectory();
    const at = (name: string) => join(directory.path, name);
    rawImage(at('base, 1.raw'));
    const qemuImg = (...rest: string[]) =>
      execFileSync('qemu-img', rest, { cwd: directory.path, stdio: 'pipe' });
    for (const compat of ['0.10', '1.1']) {
      qemuImg(
        'create',
        '-f',
        'qcow2',
        '-o',
        `compat=${compat}`,
        '-b',
        'base, 1.raw',
        '-F',
        'raw',
        'a.qcow2',
        '3M',
      );
      const disk = await resolve(at('a.qcow2'));
      expect(disk.virtualSize).toBe(3 << 20);
      expect(disk.layers[1]?.path).toBe(at('base, 1.raw'));
    }
  });
});
