import { chdir, cwd } from 'node:process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { backingFile } from './loop-backing-file.ts';
import { fakeHost, type FakeHost } from '../host.testing.ts';
import type { DeviceNode } from '../sys-dev-path.ts';

const loop: DeviceNode = { DevType: 'b', Major: 7, Minor: 3 };
const fileOf = (host: FakeHost, node = loop) =>
  backingFile(node, { SysDevPrefix: join(host.paths.sys, 'dev') });
const attribute = 'sys/dev/block/7:3/loop/backing_file';

describe('backingFile', () => {
  it('7.1 backing file: an error without the attribute, and named after the device', async () => {
    using host = fakeHost();
    host.write('sys/dev/block/7:3/dev', '7:3\n');
    await expect(fileOf(host)).rejects.toMatchObject({
      code: 'source-unsuitable',
      subject: 'b 7:3',
      message: expect.stringContaining('no loop device'),
    });
    host.write(attribute, '\n');
    await expect(fileOf(host)).rejects.toMatchObject({ code: 'source-unsuitable' });
  });

  it('7.1 backing file: what the attribute holds', async () => {
    using host = fakeHost();
    host.write(attribute, '/fake-img');
    expect(await fileOf(host)).toBe('/fake-img');
    host.write(attribute, '/fake img \n');
    expect(await fileOf(host)).toBe('/fake img ');
  });

  it('is no guess where the name is not UTF-8, or cannot be read', async () => {
    using host = fakeHost();
    host.write(attribute, Buffer.from([0x2f, 0xff, 0x0a]));
    await expect(fileOf(host)).rejects.toThrow(/UTF-8/);
    host.write('sys/dev/block/7:4/loop/backing_file/x', '');
    await expect(fileOf(host, { ...loop, Minor: 4 })).rejects.toMatchObject({ code: 'source-unsuitable' });
  });

  it('W36: the current directory has no say for a node without a type', async () => {
    using host = fakeHost();
    host.write('loop/backing_file', '/elsewhere');
    const before = cwd();
    chdir(host.directory);
    try {
      for (const DevType of ['', 'p'] as const)
        await expect(fileOf(host, { ...loop, DevType })).rejects.toMatchObject({ code: 'source-unsuitable' });
    } finally {
      chdir(before);
    }
  });
});
