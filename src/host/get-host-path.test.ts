import { chdir, cwd } from 'node:process';
import { join } from 'node:path';
import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { getHostPath, type NodeRequest } from './get-host-path.ts';
import { fakeHost, temporaryDirectory, type FakeHost } from './host.testing.ts';
import type { NodeStat } from './vhost-user/vhost-user-store.ts';

const noStore = { enabled: false, path: '' };
const node = (rest: Partial<NodeRequest> = {}): NodeRequest => ({
  DevType: 'c',
  Major: 252,
  Minor: 3,
  ContainerPath: '/dev/vfio/2',
  ...rest,
});

function onHost(host: FakeHost, rest: Partial<NodeRequest> = {}) {
  return getHostPath(node(rest), noStore, { SysDevPrefix: join(host.paths.sys, 'dev') });
}

describe('getHostPath', () => {
  it('7.3 NewDevice: an empty container path is an error, whatever else is said', async () => {
    using host = fakeHost();
    for (const rest of [{}, { DevType: 'b', Major: 241 }, { Major: -1 }] as const)
      await expect(onHost(host, { ...rest, ContainerPath: '' })).rejects.toMatchObject({
        code: 'no-container-path',
        exitCode: 2,
      });
  });

  it('7.3 NewDevice: without an entry in sysfs the container path is the host path', async () => {
    using host = fakeHost();
    expect(await onHost(host)).toBe('/dev/vfio/2');
    expect(await onHost(host, { ContainerPath: '/dev/../x/' })).toBe('/dev/../x/');
  });

  it('7.3 NewDevice: a uevent file of nonkeyvaluedata is an error', async () => {
    using host = fakeHost();
    host.write('sys/dev/char/252:3/uevent', 'nonkeyvaluedata');
    await expect(onHost(host)).rejects.toMatchObject({
      code: 'source-unsuitable',
      action: 'find on the host',
      message: expect.stringContaining('nonkeyvaluedata'),
    });
  });

  it('7.3 NewDevice: DEVNAME is the path below /dev', async () => {
    using host = fakeHost();
    host.write('sys/dev/char/252:3/uevent', 'MAJOR=252\nMINOR=3\nDEVNAME=vfio/2\n');
    host.write('sys/dev/block/252:3/uevent', 'DEVNAME=vdx\n');
    expect(await onHost(host, { ContainerPath: '/dev/renamed' })).toBe('/dev/vfio/2');
    expect(await onHost(host, { DevType: 'u' })).toBe('/dev/vfio/2');
    expect(await onHost(host, { DevType: 'b' })).toBe('/dev/vdx');
  });

  it.each(['MAJOR=252\n', 'DEVNAME=\n', ''])('2.7: the uevent file %j names no node', async (text) => {
    using host = fakeHost();
    host.write('sys/dev/char/252:3/uevent', text);
    await expect(onHost(host)).rejects.toThrow(/no DEVNAME/);
  });

  it.each(['..', '../etc/passwd', '/../../etc/passwd', 'vfio/../..', '.', 'a\0b'])(
    'a DEVNAME that leads out of /dev is refused: %j',
    async (name) => {
      using host = fakeHost();
      host.write('sys/dev/char/252:3/uevent', `DEVNAME=${name}\n`);
      await expect(onHost(host)).rejects.toMatchObject({ code: 'source-unsuitable', hint: undefined });
    },
  );

  it('2.7: an entry in sysfs that cannot be read is an error, not the container path', async () => {
    using host = fakeHost();
    mkdirSync(join(host.paths.sys, 'dev/char/252:3/uevent'), { recursive: true });
    await expect(onHost(host)).rejects.toMatchObject({ code: 'source-unsuitable' });
    host.write('sys/dev/char/252:4', 'no directory');
    await expect(onHost(host, { Minor: 4 })).rejects.toMatchObject({ code: 'source-not-found' });
  });

  it.each<[number, number]>([
    [-1, 0],
    [0, -1],
    [1.5, 0],
    [0, 0.5],
    [Number.NaN, 0],
    [0, Number.POSITIVE_INFINITY],
    [4096, 0],
    [0, 1 << 20],
    [2 ** 32 + 252, 3],
  ])('no device has the number %d:%d', async (Major, Minor) => {
    using host = fakeHost();
    await expect(onHost(host, { Major, Minor })).rejects.toMatchObject({
      code: 'invalid-device-number',
      message: expect.stringContaining(`${Major}:${Minor}`),
    });
  });

  it.each<[number, number]>([
    [0, 0],
    [4095, 1048575],
  ])('a device may have the number %d:%d', async (Major, Minor) => {
    using host = fakeHost();
    expect(await onHost(host, { Major, Minor })).toBe('/dev/vfio/2');
  });

  it('W36: the current directory has no say in where a FIFO or a node without a type is', async () => {
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, 'uevent'), 'DEVNAME=sda\n');
    using host = fakeHost();
    const before = cwd();
    chdir(directory.path);
    try {
      for (const DevType of ['p', ''] as const)
        expect(await onHost(host, { DevType, Major: 0, Minor: 0, ContainerPath: '/fifo' })).toBe('/fifo');
    } finally {
      chdir(before);
    }
  });
});

describe('getHostPath with a vhost-user store', () => {
  /** 241:0 and 242:0, as dev_t. */
  const look: NodeStat = async (path) => ({
    isBlockDevice: () => true,
    rdev: BigInt(path.endsWith('scsi') ? 242 : 241) << 8n,
  });
  const request = node({ DevType: 'b', Major: 241, Minor: 0, ContainerPath: '/dev/vda' });

  function store(): FakeHost {
    const host = fakeHost();
    for (const name of ['blk', 'scsi']) {
      host.write(`store/block/devices/${name}`, '');
      host.write(`store/block/sockets/${name}`, '');
    }
    host.write('sys/dev/block/241:0/uevent', 'DEVNAME=vdx\n');
    return host;
  }
  const hooksOf = (host: FakeHost) => ({ SysDevPrefix: join(host.paths.sys, 'dev') });

  it('7.3 vhost-user-blk: the node stands for its socket', async () => {
    using host = store();
    const path = join(host.directory, 'store');
    const pathOf = (rest: Partial<NodeRequest>) =>
      getHostPath({ ...request, ...rest }, { enabled: true, path }, hooksOf(host), look);
    expect(await pathOf({})).toBe(`${path}/block/sockets/blk`);
    expect(await pathOf({ Major: 242 })).toBe(`${path}/block/sockets/scsi`);
    expect(await pathOf({ DevType: 'c' })).toBe('/dev/vda');
    expect(await pathOf({ Major: 240 })).toBe('/dev/vda');
  });

  it('2.7: a store that is not enabled is not asked', async () => {
    using host = store();
    const path = join(host.directory, 'store');
    expect(await getHostPath(request, { enabled: false, path }, hooksOf(host), look)).toBe('/dev/vdx');
  });
});
