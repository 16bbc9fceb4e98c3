import { mkdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deviceNumber } from '../device-number.ts';
import { fakeHost, type FakeHost } from '../host.testing.ts';
import { pmemDeviceInfo } from './pmem-device-info.ts';

interface Bench extends FakeHost {
  /** A directory that exists, with a blank in its name. */
  source: string;
  image: string;
  /** The number of the device that the directory is on, as sysfs and mountinfo write it. */
  number: string;
  mount(...lines: { root?: string; at?: string; number?: string; type?: string }[]): void;
}

/** A host that says that the device below the temporary directory is a loop device with an nvdimm's file. */
function bench(): Bench {
  const host = fakeHost();
  const source = join(host.directory, 'mount point');
  mkdirSync(join(source, 'inside'), { recursive: true });
  const { major, minor } = deviceNumber(statSync(source, { bigint: true }).dev);
  const number = `${major}:${minor}`;
  const image = host.write('image', Buffer.concat([Buffer.alloc(4096), Buffer.from('NVDIMM_PFN_INFO')]));
  host.write(`sys/dev/block/${number}/loop/backing_file`, `${image}\n`);
  const mount: Bench['mount'] = (...mounts) => {
    const lines = mounts.map(({ root = '/', at = source, type = 'xfs', ...rest }) => {
      const escaped = (text: string) => text.replaceAll(' ', '\\040');
      return `36 35 ${rest.number ?? number} ${escaped(root)} ${escaped(at)} ro shared:1 - ${type} /dev/loop3 ro\n`;
    });
    host.write('proc/self/mountinfo', lines.join(''));
  };
  mount({});
  return Object.assign(host, { source, image, number, mount });
}

const infoOf = (host: Bench, source = host.source) =>
  pmemDeviceInfo(source, '/data', {
    hooks: { SysDevPrefix: join(host.paths.sys, 'dev') },
    paths: host.paths,
  });

describe('pmemDeviceInfo', () => {
  it('7.6 PmemDeviceInfo: the request for the file behind the mount', async () => {
    using host = bench();
    const [Major, Minor] = host.number.split(':').map(Number);
    expect(await infoOf(host)).toEqual({
      HostPath: host.image,
      ContainerPath: '/data',
      DevType: 'b',
      Major,
      Minor,
      Pmem: true,
      ReadOnly: false,
      ColdPlug: false,
      FileMode: 0,
      UID: 0,
      GID: 0,
      ID: '',
      DriverOptions: { fstype: 'xfs' },
    });
  });

  it('7.6 PmemDeviceInfo: no source, no loop device, no signature', async () => {
    using host = bench();
    await expect(infoOf(host, `${host.source}/none`)).rejects.toMatchObject({
      code: 'source-not-found',
      action: 'use as persistent memory',
    });
    host.write('image', Buffer.alloc(8192));
    await expect(infoOf(host)).rejects.toThrow(/no nvdimm signature/);
    host.write(`sys/dev/block/${host.number}/loop/backing_file`, `${host.image} (deleted)\n`);
    await expect(infoOf(host)).rejects.toThrow(/no nvdimm signature/);
    host.write(`sys/dev/block/${host.number}/loop/backing_file`, '');
    await expect(infoOf(host)).rejects.toThrow(/no loop device/);
  });

  it('W29: a directory inside the mount is not the mount', async () => {
    using host = bench();
    await expect(infoOf(host, join(host.source, 'inside'))).rejects.toMatchObject({
      code: 'source-unsuitable',
      message: expect.stringContaining('not the mount point'),
    });
  });

  it('W29: nor is a bind mount of a directory inside it', async () => {
    using host = bench();
    host.mount({ root: '/a b' });
    await expect(infoOf(host)).rejects.toThrow(/not the mount point of a whole file system/);
  });

  it('W29: the file system is that of the mount itself, and never guessed', async () => {
    using host = bench();
    host.mount(
      { at: host.directory, type: 'ext2' },
      { number: '0:999', type: 'tmpfs' },
      { root: '/sub', type: 'ext3' },
      { type: 'btrfs' },
    );
    expect((await infoOf(host)).DriverOptions).toEqual({ fstype: 'btrfs' });
    host.mount();
    await expect(infoOf(host)).rejects.toMatchObject({ code: 'source-unsuitable' });
  });

  it('goes by what the source is, not by its spelling', async () => {
    using host = bench();
    const link = join(host.directory, 'link');
    symlinkSync('mount point', link);
    expect(await infoOf(host, link)).toEqual(await infoOf(host, `${host.source}/inside/../`));
  });

  it('W113: a bind mount of another kind is refused before the mounts are read', async () => {
    using host = bench();
    using other = fakeHost();
    const options = { hooks: { SysDevPrefix: other.paths.sys }, paths: { ...host.paths, proc: '/nowhere' } };
    await expect(pmemDeviceInfo(host.source, '/data', options)).rejects.toThrow(/no loop device/);
  });
});
