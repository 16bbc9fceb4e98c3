import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { guardDirectory } from '../../../lab/guard/guard.ts';
import { deviceNumber } from '../device-number.ts';
import { temporaryDirectory } from '../host.testing.ts';
import { pmemDeviceInfo } from './pmem-device-info.ts';
import { resolveDisk } from '../disk/resolve-disk.ts';
import { resolvePmem } from './resolve-pmem.ts';

const run = (command: string, ...rest: string[]): string =>
  execFileSync(command, rest, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/** Where the file system of an image begins: behind the partition table and the nvdimm's info block. */
const offset = 2 << 20;

/** An image with the signature of an nvdimm, and a loop device on all or a part of it. Taken down in reverse. */
function bench(size: number, ...options: string[]) {
  const stack = new DisposableStack();
  try {
    const directory = stack.use(temporaryDirectory()).path;
    guardDirectory(directory);
    const image = join(directory, 'a.img');
    writeFileSync(image, Buffer.concat([Buffer.alloc(4096), Buffer.from('NVDIMM_PFN_INFO')]));
    truncateSync(image, size);
    const loop = run('losetup', '-f', '--show', ...options, image);
    stack.defer(() => run('losetup', '-d', loop));
    return { directory, image, loop, stack, [Symbol.dispose]: () => stack.dispose() };
  } catch (error) {
    stack.dispose();
    throw error;
  }
}

/** All of it needs root, for losetup and mount, and mkfs.ext4. */
describe('a loop device', () => {
  it('7.6 PmemDeviceInfo: is the nvdimm of what is mounted from it', async () => {
    using on = bench(10 << 20, '-o', String(offset));
    run('mkfs.ext4', '-q', on.loop);
    const point = join(on.directory, 'mount point');
    mkdirSync(point);
    run('mount', '-t', 'ext4', '-o', 'ro', on.loop, point);
    on.stack.defer(() => run('umount', point));
    const { major, minor } = deviceNumber(statSync(on.loop, { bigint: true }).rdev);
    expect(await pmemDeviceInfo(point, '/data')).toMatchObject({
      HostPath: on.image,
      DevType: 'b',
      Major: major,
      Minor: minor,
      DriverOptions: { fstype: 'ext4' },
    });
  });

  it('W29: is not the nvdimm of a directory inside the mount, bound elsewhere or not', async () => {
    using on = bench(10 << 20, '-o', String(offset));
    run('mkfs.ext4', '-q', on.loop);
    const point = join(on.directory, 'm');
    const bound = join(on.directory, 'bound');
    mkdirSync(point);
    mkdirSync(bound);
    run('mount', '-t', 'ext4', on.loop, point);
    on.stack.defer(() => run('umount', point));
    const inside = join(point, 'inside');
    mkdirSync(inside);
    run('mount', '--bind', inside, bound);
    on.stack.defer(() => run('umount', bound));
    for (const source of [inside, bound])
      await expect(pmemDeviceInfo(source, '/data'), source).rejects.toThrow(/not the mount point/);
  });

  it('can be an nvdimm itself, of its own size, and clashes with a disk on it', async () => {
    using on = bench(8 << 20);
    const pmem = await resolvePmem(on.loop, { readOnly: false });
    const disk = await resolveDisk(on.loop, { readOnly: false, shareRw: false, force: false });
    expect(pmem).toMatchObject({ path: on.loop, size: 8 << 20, identities: disk.identities });
    expect(pmem.identities).toContainEqual((await resolvePmem(on.image, { readOnly: false })).identities[0]);
  });

  it('is refused with a size of no whole pages', async () => {
    using on = bench(8192 + 512);
    await expect(resolvePmem(on.loop, { readOnly: false })).rejects.toMatchObject({
      code: 'pmem-size',
      message: expect.stringContaining('8704 bytes'),
    });
  });
});
