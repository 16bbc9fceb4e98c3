import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { symlinkSync, unlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseListeningSockets } from './proc-net-unix.ts';
import { socketOwner } from './unix-socket-owner.ts';
import { temporaryDirectory } from './host.testing.ts';

async function listener(path: string, cwd: string): Promise<ChildProcess & AsyncDisposable> {
  const script = `require('net').createServer().listen(process.argv[1], () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', script, path], { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };
  return Object.assign(child, { [Symbol.asyncDispose]: stop });
}

describe('socketOwner', () => {
  it('finds who listens, by absolute and relative path and through a symbolic link', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'a b.sock');
    await using child = await listener('./a b.sock', directory.path);
    symlinkSync('a b.sock', join(directory.path, 'link'));
    const owner = await socketOwner(path);
    expect(owner).toMatchObject({ pid: child.pid, command: 'node' });
    expect(await socketOwner(join(directory.path, 'link'))).toEqual(owner);
  });

  it('finds this process', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 's');
    const server = createServer().listen(path);
    await once(server, 'listening');
    expect((await socketOwner(path))?.pid).toBe(process.pid);
    server.close();
  });

  it('knows of nobody where there is no socket, or nobody listens', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 's');
    expect(await socketOwner(path)).toBeUndefined();
    expect(await socketOwner('/dev/null')).toBeUndefined();
    const child = await listener(path, '/');
    await child[Symbol.asyncDispose]();
    expect(await socketOwner(path)).toBeUndefined();
  });

  it('does not guess between two that were bound to one path', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 's');
    await using first = await listener(path, '/');
    unlinkSync(path);
    await using second = await listener(path, '/');
    expect(first.pid).not.toBe(second.pid);
    expect(await socketOwner(path)).toBeUndefined();
  });
});

describe('parseListeningSockets', () => {
  it('takes listening sockets with a path, spaces and all', () => {
    const text =
      'Num       RefCount Protocol Flags    Type St Inode Path\n' +
      '0000000018b2a59b: 00000002 00000000 00010000 0001 01 21101 /run/a b.sock\n' +
      '0000000018b2a59c: 00000002 00000000 00010000 0001 01    7 rel.sock\n' +
      '0000000018b2a59d: 00000002 00000000 00010000 0001 01 21102 @abstract\n' +
      '0000000018b2a59e: 00000003 00000000 00000000 0001 03 21103 /run/a b.sock\n' +
      '0000000018b2a59f: 00000003 00000000 00000000 0001 03  1134\n';
    expect(parseListeningSockets(text)).toEqual([
      { inode: '21101', path: '/run/a b.sock' },
      { inode: '7', path: 'rel.sock' },
    ]);
  });
});
