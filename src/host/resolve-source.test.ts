import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fakeHost, temporaryDirectory } from './host.testing.ts';
import { resolveSource, type SourceOptions } from './resolve-source.ts';
import { listenOn } from './vhost-user/listener.testing.ts';
import { fakeSysfs } from './vfio/sysfs.testing.ts';

function image(directory: string, name: string, bytes: number): string {
  const path = join(directory, name);
  writeFileSync(path, '');
  truncateSync(path, bytes);
  return path;
}

test('a path is a disk, relative to the directory that is said', async () => {
  using host = fakeHost();
  const path = image(host.directory, 'a.img', 1 << 20);
  const disk = await resolveSource('./a.img', { cwd: host.directory, paths: host.paths, format: 'raw' });
  expect(disk).toMatchObject({ kind: 'block', source: './a.img', layers: [{ path, format: 'raw' }] });
});

test('pmem:FILE is an nvdimm, and keeps the source as it was given', async () => {
  using host = fakeHost();
  const path = image(host.directory, 'a.img', 1 << 20);
  const { directory: cwd, paths } = host;
  expect(await resolveSource('pmem:a.img', { cwd, paths, readOnly: true })).toMatchObject({
    kind: 'pmem',
    source: 'pmem:a.img',
    path,
    size: 1 << 20,
    readOnly: true,
  });
});

test.each(['vfio:0000:02:00.0', 'vfio:02:00.0', '/dev/vfio/10', 'vfio:/dev/vfio/10'])(
  '%s is a group, also while its functions are with their own drivers and it has no node yet',
  async (source) => {
    using host = fakeSysfs();
    host.addFunction('0000:02:00.0', { group: '10', driver: 'nvme' });
    host.addFunction('0000:02:00.1', { group: '10', driver: null });
    expect(await resolveSource(source, { hooks: host.hooks, paths: host.paths })).toMatchObject({
      kind: 'vfio',
      source,
      group: '10',
      functions: [{ address: '0000:02:00.0' }, { address: '0000:02:00.1' }],
    });
  },
);

test.each([
  ['vhost-user-blk', {}],
  ['vhost-user-scsi', {}],
  ['vhost-user-net', { mac: '52:54:00:12:34:5F' }],
  ['vhost-user-fs', { tag: 'shared' }],
] satisfies [string, SourceOptions][])('%s:SOCKET is what is served there', async (scheme, options) => {
  using temporary = temporaryDirectory();
  const socket = join(temporary.path, 's');
  await using _ = await listenOn(socket);
  expect(await resolveSource(`${scheme}:./s`, { cwd: temporary.path, ...options })).toMatchObject({
    kind: scheme,
    source: `${scheme}:./s`,
    socket,
    ...('mac' in options ? { mac: '52:54:00:12:34:5f' } : options),
  });
});

describe('an option that the kind would not look at is refused, by name', () => {
  test.each([
    ['a.img', { tag: 't' }, '--tag'],
    ['a.img', { mac: '52:54:00:12:34:56' }, '--mac'],
    ['pmem:a.img', { format: 'raw' }, '--format'],
    ['vfio:0000:02:00.0', { format: 'raw' }, '--format'],
    ['vfio:0000:02:00.0', { readOnly: true }, '--read-only'],
    ['/dev/vfio/3', { shareRw: true }, '--share-rw'],
    ['mdev:83b8f4f2-509f-382f-3c1e-e6bfe0fa1001', { tag: 't' }, '--tag'],
    ['vfio-ap:83b8f4f2-509f-382f-3c1e-e6bfe0fa1001', { readOnly: true }, '--read-only'],
    ['vhost-user-blk:s', { readOnly: true }, '--read-only'],
    ['vhost-user-scsi:s', { mac: '52:54:00:12:34:56' }, '--mac'],
    ['vhost-user-net:s', { tag: 't' }, '--tag'],
    ['vhost-user-fs:s', { force: true }, '--force'],
  ] satisfies [string, SourceOptions, string][])('%s with %o', async (source, options, name) => {
    await expect(resolveSource(source, { cwd: '/nonexistent', ...options })).rejects.toMatchObject({
      code: 'invalid-argument',
      subject: source,
      reason: expect.stringContaining(name),
      hint: expect.stringContaining(name),
    });
  });

  test('what is left out or false asks for nothing', async () => {
    const options = { readOnly: false, shareRw: false, force: false, tag: undefined, mac: undefined };
    await expect(resolveSource('vhost-user-blk:/nonexistent/s', options)).rejects.toMatchObject({
      code: 'source-not-found',
    });
  });
});

describe('bad sources, each with its own error', () => {
  test.each([
    ['vhost-user-net:s', { mac: 'not-a-mac' }, 'invalid-argument'],
    ['vhost-user-net:s', { mac: '52:54:00:12:34' }, 'invalid-argument'],
    ['vhost-user-net:s', { mac: '53:54:00:12:34:56' }, 'invalid-argument'],
    ['vhost-user-net:s', { mac: '00:00:00:00:00:00' }, 'invalid-argument'],
    ['vhost-user-fs:s', {}, 'invalid-argument'],
    ['vhost-user-fs:s', { tag: '' }, 'invalid-argument'],
    ['vhost-user-fs:s', { tag: 'é'.repeat(19) }, 'invalid-argument'],
    ['vhost-user-blk:/nonexistent/s', {}, 'source-not-found'],
    ['pmem:/nonexistent/f', {}, 'source-not-found'],
    ['pmem:', {}, 'invalid-argument'],
    ['vfio:what', {}, 'invalid-argument'],
    ['/dev/vfio/vfio', {}, 'invalid-argument'],
    ['mdev:1234', {}, 'invalid-argument'],
    ['mdev:83b8f4f2-509f-382f-3c1e-e6bfe0fa1001', {}, 'pci-device-not-found'],
    ['fs:/srv', {}, 'unsupported'],
  ] satisfies [string, SourceOptions, string][])('%s with %o: %s', async (source, options, code) => {
    using host = fakeSysfs();
    const { hooks, paths } = host;
    await expect(resolveSource(source, { hooks, paths, ...options })).rejects.toMatchObject({ code });
  });

  test('an nvdimm of a directory, and of a file of no whole pages', async () => {
    using host = fakeHost();
    const { directory: cwd, paths } = host;
    mkdirSync(join(cwd, 'd'));
    image(cwd, 'odd.img', 5000);
    await expect(resolveSource('pmem:d', { cwd, paths })).rejects.toMatchObject({
      code: 'source-unsuitable',
    });
    await expect(resolveSource('pmem:odd.img', { cwd, paths })).rejects.toMatchObject({ code: 'pmem-size' });
  });
});
