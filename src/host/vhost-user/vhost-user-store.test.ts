import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fakeHost, type FakeHost } from '../host.testing.ts';
import { vhostUserSocket, type NodeStat } from './vhost-user-store.ts';

interface Node {
  rdev: bigint;
  block?: boolean;
}

/** A store with sockets of the names given, whose nodes look as told; `undefined` cannot be looked at. */
function store(nodes: Record<string, Node | undefined>): FakeHost & { path: string; look: NodeStat } {
  const host = fakeHost();
  mkdirSync(join(host.directory, 'block/devices'), { recursive: true });
  mkdirSync(join(host.directory, 'block/sockets'), { recursive: true });
  for (const name of Object.keys(nodes)) {
    host.write(`block/devices/${name}`, '');
    host.write(`block/sockets/${name}`, '');
  }
  const look: NodeStat = async (path) => {
    const node = nodes[path.slice(path.lastIndexOf('/') + 1)];
    if (node === undefined) throw Object.assign(new Error('EACCES: no'), { code: 'EACCES' });
    return { isBlockDevice: () => node.block ?? true, rdev: node.rdev };
  };
  return Object.assign(host, { path: host.directory, look });
}

const blk0 = { major: 241, minor: 0 };
const rdev = 241n << 8n;

describe('vhostUserSocket', () => {
  it('2.9: the first fitting node by name decides', async () => {
    using on = store({ c: { rdev }, b: { rdev }, a: { rdev: rdev + 1n } });
    expect(await vhostUserSocket(blk0, on.path, on.look)).toBe(`${on.path}/block/sockets/b`);
    expect(await vhostUserSocket({ major: 241, minor: 1 }, on.path, on.look)).toMatch(/sockets\/a$/);
  });

  it('7.6 GetHostPath vhost-user errors: no store, no node, no socket', async () => {
    using on = store({ a: { rdev } });
    const missing = (number: typeof blk0, path: string) =>
      expect(vhostUserSocket(number, path, on.look)).rejects;
    await missing(blk0, `${on.path}/none`).toMatchObject({ code: 'source-not-found' });
    await missing({ major: 241, minor: 7 }, on.path).toMatchObject({
      code: 'source-not-found',
      message: expect.stringContaining('241:7'),
      hint: expect.stringContaining('mknod'),
    });
    rmSync(join(on.path, 'block/sockets/a'));
    await missing(blk0, on.path).toMatchObject({
      code: 'source-not-found',
      subject: `${on.path}/block/sockets/a`,
    });
  });

  it('W37: every error of looking at the socket is one', async () => {
    using on = store({ a: { rdev } });
    const sockets = join(on.path, 'block/sockets');
    rmSync(join(sockets, 'a'));
    symlinkSync('a', join(sockets, 'a'));
    await expect(vhostUserSocket(blk0, on.path, on.look)).rejects.toMatchObject({
      code: 'source-unsuitable',
      message: expect.stringContaining('circle'),
    });
  });

  it('W38: a node that cannot be looked at does not hide later ones', async () => {
    using on = store({ a: undefined, b: { rdev } });
    expect(await vhostUserSocket(blk0, on.path, on.look)).toMatch(/sockets\/b$/);
  });

  it('W38: and is named when the one looked for is not found', async () => {
    using on = store({ a: undefined, b: { rdev: rdev + 1n } });
    await expect(vhostUserSocket(blk0, on.path, on.look)).rejects.toMatchObject({
      code: 'source-not-found',
      hint: expect.stringMatching(/: a$/),
      cause: expect.objectContaining({ code: 'EACCES' }),
    });
  });

  it('W38: only block nodes count', async () => {
    using on = store({ a: { rdev, block: false }, b: { rdev } });
    expect(await vhostUserSocket(blk0, on.path, on.look)).toMatch(/sockets\/b$/);
    using files = fakeHost();
    files.write('block/devices/a', '');
    await expect(vhostUserSocket({ major: 0, minor: 0 }, files.directory)).rejects.toMatchObject({
      code: 'source-not-found',
    });
  });

  it('W38: a number that is the same in its low 32 bits only is another', async () => {
    using on = store({ a: { rdev } });
    await expect(vhostUserSocket({ major: 2 ** 32 + 241, minor: 0 }, on.path, on.look)).rejects.toMatchObject(
      { code: 'source-not-found' },
    );
  });
});
