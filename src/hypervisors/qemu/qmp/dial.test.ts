import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../../host/host.testing.ts';
import { dialFailure } from './connect-errors.ts';
import { QmpConnection } from './connection.ts';

const server = "require('node:net').createServer().listen(process.argv[1], () => console.log('up'))";

function isOver(pid: number): boolean {
  return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

test('a server that ends before it has taken the connection is a VM that has gone', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'qmp');
  const child = spawn(process.execPath, ['-e', server, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const { pid = 0 } = child;
  const ended = once(child, 'exit');
  try {
    await once(child.stdout, 'data');
    child.kill('SIGSTOP');
    const connecting = QmpConnection.connect(path, { timeoutMs: 20_000 });
    child.kill('SIGKILL');
    // Nothing here may turn before: the kernel resets the connection while it waits to be taken.
    while (!isOver(pid)) continue;
    await expect(connecting).rejects.toMatchObject({ code: 'vm-gone' });
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
});

test('the same, where the kernel says so to the one who connects', async () => {
  const cause = Object.assign(new Error('connect ECONNRESET'), { code: 'ECONNRESET' });
  expect(await dialFailure('qmp', cause)).toMatchObject({
    code: 'vm-gone',
    facts: { reason: 'reset' },
    cause,
  });
});
