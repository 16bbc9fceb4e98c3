import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { HostVfioGroup, HostVhostUser } from '../api/host-device.ts';
import { temporaryDirectory } from './host.testing.ts';
import { sourceMeaning } from './source-meaning.ts';

function socketAt(socket: string): HostVhostUser {
  return {
    kind: 'vhost-user-blk',
    source: `vhost-user-blk:${socket}`,
    socket,
    identities: [{ key: 'socket:1:1', mode: 'exclusive' }],
    readOnly: false,
    shareRw: false,
  };
}

function groupOf(address: string): HostVfioGroup {
  const of = { vendorId: '', deviceId: '', classCode: '', isPcie: false };
  return {
    kind: 'vfio',
    source: `vfio:${address}`,
    group: '12',
    functions: [{ type: 1, address, sysfsDev: '/sys/x', ...of }],
    identities: [{ key: 'iommu-group:12', mode: 'exclusive' }],
    readOnly: false,
    shareRw: false,
  };
}

test('a socket by a relative path, through a link, with its scheme or without, there or gone', async () => {
  using temporary = temporaryDirectory();
  const directory = temporary.path;
  mkdirSync(join(directory, 'real'));
  symlinkSync('real', join(directory, 'link'));
  writeFileSync(join(directory, 'real/s'), '');
  const host = socketAt(join(directory, 'real/s'));
  const ways = ['real/s', './real/s', 'link/s', 'vhost-user-blk:link/s', 'vhost-user-blk:./real/../real/s'];
  for (const way of ways) expect((await sourceMeaning(way, directory))(host), way).toBe(true);
  rmSync(join(directory, 'real/s'));
  for (const way of ways) expect((await sourceMeaning(way, directory))(host), `gone: ${way}`).toBe(true);
  for (const other of ['vhost-user-fs:link/s', 'pmem:link/s', 's', '', 'vhost-user-blk:', 'fs:link/s'])
    expect((await sourceMeaning(other, directory))(host), other).toBe(false);
});

test('a group by its number, or by any address of a function of it', async () => {
  const host = groupOf('0000:3b:00.0');
  for (const way of ['vfio:0000:3b:00.0', 'vfio:3B:00.0', '/dev/vfio/12', 'vfio:/dev/vfio/12'])
    expect((await sourceMeaning(way, '/'))(host), way).toBe(true);
  for (const other of ['vfio:3b:00.1', '/dev/vfio/13', 'vfio:what', '/dev/vfio/vfio', '0000:3b:00.0'])
    expect((await sourceMeaning(other, '/'))(host), other).toBe(false);
});

test('a mediated device by its UUID, in capitals too', async () => {
  const uuid = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
  expect((await sourceMeaning(`mdev:${uuid.toUpperCase()}`, '/'))(groupOf(uuid))).toBe(true);
  expect((await sourceMeaning(`mdev:${uuid.replace('8', '9')}`, '/'))(groupOf(uuid))).toBe(false);
});
