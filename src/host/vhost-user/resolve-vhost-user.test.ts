import { linkSync, mkdirSync, renameSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fakeHost, temporaryDirectory } from '../host.testing.ts';
import { listenOn } from './listener.testing.ts';
import { resolveVhostUser } from './resolve-vhost-user.ts';

/** Leaves a socket at `path` that nobody listens on any more. */
async function abandon(path: string): Promise<void> {
  await using _ = await listenOn(`${path}.live`);
  linkSync(`${path}.live`, path);
}

const tableLine = (path: string, flags: string) =>
  `0000000018b2a59b: 00000002 00000000 ${flags} 0001 01 21101 ${path}\n`;

describe('resolveVhostUser', () => {
  it('takes a socket by what it is, and claims it for one', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'a b.sock');
    await using _ = await listenOn(path);
    symlinkSync('a b.sock', join(directory.path, 'link'));
    const { dev, ino } = statSync(path, { bigint: true });
    expect(await resolveVhostUser('vhost-user-blk', 'link', { cwd: directory.path, readOnly: true })).toEqual(
      {
        kind: 'vhost-user-blk',
        source: 'link',
        socket: path,
        identities: [{ key: `socket:${dev}:${ino}`, mode: 'exclusive' }],
        readOnly: true,
        shareRw: false,
      },
    );
    expect(await resolveVhostUser('vhost-user-net', path, { mac: '52:54:00:AB:CD:EF' })).toMatchObject({
      mac: '52:54:00:ab:cd:ef',
      readOnly: false,
    });
    expect(await resolveVhostUser('vhost-user-fs', path, { tag: 't', cacheSize: 64 })).toMatchObject({
      tag: 't',
      cacheSize: 64,
    });
  });

  it('finds out that somebody listens without connecting, by whatever path it was bound', async () => {
    using directory = temporaryDirectory();
    const at = (name: string) => join(directory.path, name);
    mkdirSync(at('real'));
    symlinkSync('real', at('link'));
    await using listener = await listenOn(at('link/s'));
    await resolveVhostUser('vhost-user-scsi', at('real/s'));
    expect(await listener.connections()).toBe(0);
  });

  it("needs no right to look into the back end's process", async () => {
    using host = fakeHost();
    const path = join(host.directory, 's');
    await using listener = await listenOn(path);
    host.write('proc/net/unix', tableLine(path, '00010000'));
    await resolveVhostUser('vhost-user-blk', path, { paths: host.paths });
    expect(await listener.connections()).toBe(0);
  });

  it('connects once when no table has the path, and leaves', async () => {
    using host = fakeHost();
    const path = join(host.directory, 's');
    await using listener = await listenOn(path);
    host.write('proc/net/unix', tableLine(`${path}.other`, '00010000'));
    await resolveVhostUser('vhost-user-blk', path, { paths: host.paths });
    expect(await listener.connections()).toBe(1);
  });

  it('does not connect where the table says that the socket does not listen', async () => {
    using host = fakeHost();
    const path = join(host.directory, 's');
    await using listener = await listenOn(path);
    host.write('proc/net/unix', tableLine(path, '00000000'));
    await expect(
      resolveVhostUser('vhost-user-fs', path, { tag: 'a', paths: host.paths }),
    ).rejects.toMatchObject({
      code: 'socket-not-served',
      message: expect.stringContaining('another client'),
    });
    expect(await listener.connections()).toBe(0);
  });

  it('refuses a socket that nobody listens on', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 's');
    await abandon(path);
    await expect(resolveVhostUser('vhost-user-blk', path)).rejects.toMatchObject({
      code: 'socket-not-served',
      action: 'use as vhost-user-blk',
      subject: path,
      hint: expect.stringContaining('start the back end'),
    });
  });

  it('is not misled by another socket that was bound to the same name', async () => {
    using directory = temporaryDirectory();
    mkdirSync(join(directory.path, 'other'));
    await using _ = await listenOn(join(directory.path, 'other/s'));
    const path = join(directory.path, 's');
    await abandon(path);
    await expect(resolveVhostUser('vhost-user-blk', path)).rejects.toMatchObject({
      code: 'socket-not-served',
    });
  });

  it('refuses what is no socket', async () => {
    using host = fakeHost();
    for (const source of [host.write('file', 'x'), host.directory, '/dev/null'])
      await expect(resolveVhostUser('vhost-user-blk', source), source).rejects.toMatchObject({
        code: 'source-unsuitable',
        message: expect.stringContaining('not a socket'),
      });
    await expect(resolveVhostUser('vhost-user-blk', join(host.directory, 'none'))).rejects.toMatchObject({
      code: 'source-not-found',
    });
    await expect(resolveVhostUser('vhost-user-blk', '')).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  it('refuses a path of more than 107 bytes, and no shorter one', async () => {
    using directory = temporaryDirectory();
    const short = join(directory.path, 's');
    await using _ = await listenOn(short);
    const fill = 107 - Buffer.byteLength(`${directory.path}/`);
    const fits = join(directory.path, 'é'.repeat(Math.floor(fill / 2)).padEnd(Math.ceil(fill / 2), 'x'));
    expect(Buffer.byteLength(fits)).toBe(107);
    renameSync(short, fits);
    await resolveVhostUser('vhost-user-blk', fits);
    renameSync(fits, `${fits}x`);
    await expect(resolveVhostUser('vhost-user-blk', `${fits}x`)).rejects.toMatchObject({
      code: 'source-unsuitable',
      message: expect.stringContaining('108 bytes'),
    });
  });

  it('looks at the options first', async () => {
    await expect(resolveVhostUser('vhost-user-fs', '/nowhere')).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('needs a tag'),
    });
  });
});
