import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { defaultHostHooks } from '../../api/config.ts';
import { getHostPath } from '../get-host-path.ts';
import { temporaryDirectory } from '../host.testing.ts';

/** Needs root, for mknod. */
it('7.3 vhost-user-blk: a real node 241:0 stands for its socket', async () => {
  using directory = temporaryDirectory();
  const at = (name: string) => join(directory.path, 'block', name);
  mkdirSync(at('devices'), { recursive: true });
  mkdirSync(at('sockets'));
  for (const [name, major, minor] of [
    ['large', 241, 65536],
    ['scsi0', 242, 0],
    ['vhostblk0', 241, 0],
  ] as const) {
    execFileSync('mknod', [at(`devices/${name}`), 'b', String(major), String(minor)]);
    writeFileSync(at(`sockets/${name}`), '');
  }
  execFileSync('mknod', [at('devices/char'), 'c', '241', '0']);
  symlinkSync('nowhere', at('devices/dangling'));
  const pathOf = (Major: number, Minor: number) =>
    getHostPath(
      { DevType: 'b', Major, Minor, ContainerPath: '/dev/vda' },
      { enabled: true, path: directory.path },
      defaultHostHooks,
    );
  expect(await pathOf(241, 0)).toBe(at('sockets/vhostblk0'));
  expect(await pathOf(241, 65536)).toBe(at('sockets/large'));
  expect(await pathOf(242, 0)).toBe(at('sockets/scsi0'));
  await expect(pathOf(242, 1)).rejects.toMatchObject({ code: 'source-not-found' });
});
