import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../src/host/host.testing.ts';
import { startBackEnd } from './back-end.ts';

const node = (script: string, socket: string) => ({
  program: process.execPath,
  args: ['-e', script, socket],
  socket,
});
const server = `require('net').createServer().listen(process.argv[1], () => console.log('up'));`;

test('a back end is ready when its socket is served, and leaves none when it is killed', async () => {
  using directory = temporaryDirectory();
  const socket = join(directory.path, 's');
  {
    await using backEnd = await startBackEnd(node(server, socket));
    expect(existsSync(socket)).toBe(true);
    process.kill(backEnd.pid, 0);
    await backEnd.kill();
    await backEnd.ended;
    expect(() => process.kill(backEnd.pid, 0)).toThrow('ESRCH');
  }
  expect(existsSync(socket)).toBe(false);
});

test('one that never serves it is told with what it printed', async () => {
  using directory = temporaryDirectory();
  const socket = join(directory.path, 's');
  await expect(startBackEnd(node(`console.error('no such disk')`, socket))).rejects.toThrow('no such disk');
  const missing = { program: 'no-such-program', args: [], socket };
  await expect(startBackEnd(missing)).rejects.toThrow('no-such-program');
});
