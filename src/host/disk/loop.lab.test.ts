import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { guardDirectory } from '../../../lab/guard/guard.ts';
import { blockUses } from './block-in-use.ts';
import { deviceNumber, fileKey } from '../device-number.ts';
import { defaultHostPaths } from '../host-paths.ts';
import { hostUsage } from './host-usage.ts';
import { resolveDisk, type ResolveDiskOptions } from './resolve-disk.ts';
import { temporaryDirectory } from '../host.testing.ts';

const run = (command: string, ...rest: string[]): string =>
  execFileSync(command, rest, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
const resolve = (source: string, options: Partial<ResolveDiskOptions> = {}) =>
  resolveDisk(source, { readOnly: false, shareRw: false, force: false, ...options });

function works(command: string, ...rest: string[]): boolean {
  try {
    run(command, ...rest);
    return true;
  } catch {
    return false;
  }
}
const usable = process.getuid?.() === 0 && works('losetup', '-f');

/** An 8 MiB image with ext4 in a directory of its own, and what was set up on it, taken down in reverse. */
function bench(): Disposable & {
  image: string;
  directory: string;
  loop: (...options: string[]) => string;
  undo: (command: string, ...rest: string[]) => void;
} {
  const stack = new DisposableStack();
  try {
    const directory = stack.use(temporaryDirectory()).path;
    guardDirectory(directory);
    const image = join(directory, 'a.img');
    writeFileSync(image, '');
    truncateSync(image, 8 << 20);
    run('mkfs.ext4', '-q', image);
    const undo = (command: string, ...rest: string[]): void => {
      stack.defer(() => run(command, ...rest));
    };
    const loop = (...options: string[]): string => {
      const node = run('losetup', '-f', '--show', ...options, image);
      undo('losetup', '-d', node);
      return node;
    };
    return { directory, image, loop, undo, [Symbol.dispose]: () => stack[Symbol.dispose]() };
  } catch (error) {
    stack.dispose();
    throw error;
  }
}

function mount(on: ReturnType<typeof bench>, node: string, ...options: string[]): string {
  const point = join(on.directory, 'mount point');
  mkdirSync(point);
  run('mount', ...options, node, point);
  on.undo('umount', point);
  return point;
}

describe.skipIf(!usable)('a loop device', () => {
  it('is claimed with its file, and free until it is used', async () => {
    using on = bench();
    const node = on.loop();
    const device = deviceNumber(statSync(node, { bigint: true }).rdev);
    const disk = await resolve(node);
    expect(disk).toMatchObject({ ...device, virtualSize: 8 << 20 });
    expect(disk.layers).toEqual([{ path: node, format: 'raw', protocol: 'host_device' }]);
    expect(disk.identities).toEqual([
      { key: `block:${device.major}:${device.minor}`, mode: 'exclusive' },
      { key: fileKey(statSync(on.image, { bigint: true })), mode: 'exclusive' },
    ]);
    expect((await resolve(on.image)).identities[0]).toEqual(disk.identities[1]);
  });

  it('is in use while mounted, and so is its file under any name, and any other loop device on it', async () => {
    using on = bench();
    const node = on.loop();
    const second = on.loop();
    const point = mount(on, node);
    const hard = join(on.directory, 'hard');
    linkSync(on.image, hard);
    for (const source of [node, second, on.image, hard]) {
      await expect(resolve(source), source).rejects.toMatchObject({
        code: 'source-in-use',
        message: expect.stringContaining(`is mounted on ${point}`),
      });
      await expect(resolve(source, { readOnly: true })).rejects.toMatchObject({ code: 'source-in-use' });
      await resolve(source, { force: true });
    }
  });

  it('may be read while it is mounted read-only', async () => {
    using on = bench();
    const node = on.loop('-r');
    mount(on, node, '-o', 'ro');
    await resolve(node, { readOnly: true });
    await resolve(on.image, { readOnly: true });
    await expect(resolve(on.image)).rejects.toMatchObject({ code: 'source-in-use' });
  });

  it('is refused for writing when it is read-only, even by force', async () => {
    using on = bench();
    const node = on.loop('-r');
    await expect(resolve(node, { force: true })).rejects.toMatchObject({
      code: 'source-unsuitable',
      hint: expect.stringContaining('--read-only'),
    });
    await resolve(node, { readOnly: true });
  });

  it('is refused when nothing is bound to it', async () => {
    // Another test may take the free one before it is looked at.
    await vi.waitFor(
      () => expect(resolve(run('losetup', '-f'))).rejects.toMatchObject({ code: 'source-unsuitable' }),
      10_000,
    );
  });

  it('is in use while it is swap space', async () => {
    using on = bench();
    const node = on.loop();
    run('mkswap', node);
    run('swapon', node);
    on.undo('swapoff', node);
    await expect(resolve(node)).rejects.toThrow(/swap space/);
    await expect(resolve(on.image)).rejects.toThrow(/backs loop\d+, which is swap space/);
  });

  it.skipIf(!works('unshare', '-m', 'true'))('is in use while mounted where we cannot see it', async () => {
    using on = bench();
    const node = on.loop();
    const point = join(on.directory, 'm');
    mkdirSync(point);
    const script = `mount "$1" "$2"; echo $$ > "$2.pid"; exec sleep 60`;
    const child = spawn('unshare', ['-m', 'sh', '-c', script, 'sh', node, point], { stdio: 'ignore' });
    try {
      await expect.poll(() => works('test', '-e', `${point}.pid`)).toBe(true);
      await expect(resolve(node)).rejects.toThrow(/exclusively/);
      await expect(resolve(on.image)).rejects.toThrow(/backs loop\d+, which is held exclusively/);
    } finally {
      child.kill('SIGKILL');
      await expect.poll(() => works('kill', '-0', String(child.pid))).toBe(false);
    }
  });

  it.skipIf(!works('addpart', '--version'))('has partitions that know of each other', async () => {
    using on = bench();
    const node = on.loop('-P');
    const part = (index: number): string => {
      run('addpart', node, String(index), String(index * 4096), '4096');
      on.undo('delpart', node, String(index));
      return `${node}p${index}`;
    };
    const one = part(1);
    const two = part(2);
    const disk = await resolve(one);
    expect(disk.virtualSize).toBe(2 << 20);
    expect(disk.identities).toContainEqual({
      key: `${fileKey(statSync(on.image, { bigint: true }))}@${4096 * 512}+${4096 * 512}`,
      mode: 'exclusive',
    });
    run('mkfs.ext4', '-q', two);
    const point = mount(on, two);
    await resolve(one);
    for (const source of [two, node, on.image])
      await expect(resolve(source), source).rejects.toThrow(`mounted on ${point}`);
  });
});

describe.skipIf(!usable)('a probe', () => {
  it('does not mistake another probe for a holder', async () => {
    using on = bench();
    const node = on.loop();
    const other = `const { heldExclusively } = await import(${JSON.stringify(import.meta.resolve('./exclusive-probe.ts'))});
      const end = Date.now() + 1500; const nap = new Int32Array(new SharedArrayBuffer(4));
      while (Date.now() < end) { heldExclusively(process.argv[1]); Atomics.wait(nap, 0, 0, 1); }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', other, node], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    for (const end = Date.now() + 1200; Date.now() < end;) await resolve(node);
    await ended;
  });
});

describe.skipIf(!usable)('a file', () => {
  it('is in use while it is swap space', async () => {
    using on = bench();
    writeFileSync(on.image, Buffer.alloc(8 << 20, 1), { mode: 0o600 });
    run('mkswap', on.image);
    run('swapon', on.image);
    on.undo('swapoff', on.image);
    await expect(resolve(on.image, { readOnly: true })).rejects.toThrow(/swap space/);
  });

  it('on a read-only file system is refused for writing', async () => {
    using on = bench();
    const point = mount(on, on.loop());
    writeFileSync(join(point, 'b.img'), 'x'.repeat(4096));
    run('mount', '-o', 'remount,ro', point);
    await expect(resolve(join(point, 'b.img'))).rejects.toMatchObject({
      code: 'source-unsuitable',
      hint: expect.stringContaining('--read-only'),
    });
    await resolve(join(point, 'b.img'), { readOnly: true });
  });
});

describe("the host's own disk", () => {
  it.skipIf(!works('sh', '-c', 'test -b "$(findmnt -n -o SOURCE /)"'))('is in use', () => {
    const node = run('findmnt', '-n', '-o', 'SOURCE', '/');
    const device = deviceNumber(statSync(node, { bigint: true }).rdev);
    const uses = blockUses(device, hostUsage(defaultHostPaths));
    expect(uses).toContainEqual({ what: 'is mounted on /', writes: expect.any(Boolean) });
  });
});
