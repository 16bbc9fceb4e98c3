import { closeSync, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../host.testing.ts';
import { groupHolder } from './group-holder.ts';

it('a process that has the node open is found, with its command', () => {
  using temporary = temporaryDirectory();
  mkdirSync(join(temporary.path, 'vfio'));
  const node = join(temporary.path, 'vfio/12');
  const paths = { sys: '/sys', proc: '/proc', dev: temporary.path };
  expect(groupHolder('12', paths)).toBeUndefined();
  writeFileSync(node, '');
  expect(groupHolder('12', paths)).toBeUndefined();
  const file = openSync(node, 'r');
  try {
    const holder = groupHolder('12', paths);
    expect(holder).toMatchObject({ pid: process.pid, command: expect.stringContaining('node') });
    expect(groupHolder('12', paths, process.pid)).toBeUndefined();
  } finally {
    closeSync(file);
  }
  expect(groupHolder('12', paths)).toBeUndefined();
});

it('the node of another group, and files that cannot be seen, are passed over', () => {
  using temporary = temporaryDirectory();
  const { path } = temporary;
  const paths = { sys: '/sys', proc: join(path, 'proc'), dev: join(path, 'dev') };
  for (const group of ['1', '12']) {
    mkdirSync(join(paths.dev, 'vfio'), { recursive: true });
    writeFileSync(join(paths.dev, 'vfio', group), '');
  }
  mkdirSync(join(paths.proc, '41/fd'), { recursive: true });
  symlinkSync(join(paths.dev, 'vfio/12'), join(paths.proc, '41/fd/7'));
  mkdirSync(join(paths.proc, '42'));
  writeFileSync(join(paths.proc, '41/cmdline'), 'dpdk\0-a\0');
  expect(groupHolder('1', paths)).toBeUndefined();
  expect(groupHolder('12', paths)).toEqual({ pid: 41, command: 'dpdk -a' });
});
