import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../host.testing.ts';
import { resolveVhostUser } from './resolve-vhost-user.ts';

/** Needs root, for unshare(1) of util-linux. */
it('a back end in another network namespace is found without connecting to it', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 's');
  const script = `
    let count = 0;
    const server = require('net').createServer((socket) => { count++; socket.end(); });
    server.listen(process.argv[1], () => console.log('up'));
    process.stdin.on('data', () => console.log('connections ' + count));`;
  const child = spawn('unshare', ['-n', process.execPath, '-e', script, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    expect(await resolveVhostUser('vhost-user-blk', path)).toMatchObject({ socket: path });
    child.stdin.write('?');
    expect(String((await once(child.stdout, 'data'))[0])).toBe('connections 0\n');
  } finally {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
});
