import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fakeHost, type FakeHost } from '../host/host.testing.ts';
import { hostRootfsProbe, hostVolumeProbe } from './host-probes.ts';

let host: FakeHost;
beforeEach(() => {
  host = fakeHost();
});
afterEach(() => host[Symbol.dispose]());

/** A block node in the test's own directory; needs root. */
function blockNode(name: string, major: number, minor: number): string {
  const path = join(host.directory, name);
  execFileSync('mknod', [path, 'b', String(major), String(minor)]);
  return path;
}

test('the source of a mount: a block node by its number, also through a link; a file by its file system', async () => {
  const probe = hostVolumeProbe(host.paths);
  const node = blockNode('disk', 300, 5000);
  const link = join(host.directory, 'link');
  symlinkSync(node, link);
  expect(await probe.stat(link)).toMatchObject({ node: { major: 300, minor: 5000 } });
  const file = await probe.stat(host.write('file', ''));
  expect(file.node).toBeUndefined();
  expect(file.device).toEqual((await probe.stat(node)).device);
  await expect(probe.stat(join(host.directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('what lies on no loop device is no pmem file', async () => {
  const probe = hostVolumeProbe(host.paths);
  await expect(probe.pmemDeviceInfo(host.directory, '/data')).rejects.toThrow();
});

test('a root file system: the deepest mount above it, and whether device-mapper made its disk', async () => {
  const thin = blockNode('thin', 253, 4);
  const plain = blockNode('plain', 8, 1);
  host.write(
    'proc/self/mountinfo',
    [
      `1 0 8:1 / / rw - ext4 ${plain} rw`,
      `2 1 253:4 / /run/c1 rw - xfs ${thin} rw`,
      '3 1 0:5 / /run/c2 rw - overlay overlay rw',
      `4 1 0:6 / /run/c3 rw - fuse ${host.write('image', '')} rw`,
      '',
    ].join('\n'),
  );
  host.write('sys/dev/block/253:4/dm/name', 'thin');
  const probe = hostRootfsProbe(host.paths);
  expect(await probe.mountOf('/run/c1/rootfs')).toEqual({
    source: thin,
    fsType: 'xfs',
    device: { major: 253, minor: 4 },
    isDeviceMapper: true,
  });
  expect(await probe.mountOf('/run/c10/rootfs')).toMatchObject({ source: plain, isDeviceMapper: false });
  expect(await probe.mountOf('/run/c2/rootfs')).toBeUndefined();
  expect(await probe.mountOf('/run/c3')).toBeUndefined();
});

test('of two mounts at one place the last is the one that is seen', async () => {
  const below = blockNode('below', 8, 1);
  const above = blockNode('above', 8, 2);
  host.write(
    'proc/self/mountinfo',
    `1 0 8:1 / /run/c1 rw - ext4 ${below} rw\n2 1 8:2 / /run/c1 rw - xfs ${above} rw\n`,
  );
  expect(await hostRootfsProbe(host.paths).mountOf('/run/c1')).toMatchObject({ source: above });
});
