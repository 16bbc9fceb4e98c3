import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../host.testing.ts';
import { servesOnce } from './serves-once.ts';

const listen = "require('node:net').createServer().listen(process.argv[1], () => console.log('up'))";

test.each([
  [['passt', '--vhost-user', '--one-off'], true],
  [['/usr/bin/passt', '-f1'], true],
  [['passt', '--vhost-user', '-f'], false],
  [['dpdk-testpmd', '-n1'], false],
])('a program whose command line has %j', async (words, expected) => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 's');
  const child = spawn(process.execPath, ['-e', listen, '--', path, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    expect(await servesOnce(path)).toBe(expected);
  } finally {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
});

test('of a socket that nobody serves nothing is known', async () => {
  using directory = temporaryDirectory();
  expect(await servesOnce(join(directory.path, 's'))).toBe(false);
});
