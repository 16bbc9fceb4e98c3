import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { processIdentity, waitForEnd } from './process-identity.ts';

const program = `
const { spawnTied } = await import(process.argv[1]);
const child = spawnTied('sleep', ['600'], { stdio: 'ignore' });
child.once('spawn', () => console.log(child.pid));
`;

test('a process that is tied to this one ends with it, also when that is killed', async () => {
  const module = fileURLToPath(new URL('tied-process.ts', import.meta.url));
  const parent = spawn(process.execPath, ['--input-type=module', '-e', program, module], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said]: unknown[] = await once(parent.stdout, 'data');
  const tied = processIdentity(Number(String(said)));
  expect(tied).toBeDefined();
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  expect(tied !== undefined && (await waitForEnd(tied, 10_000))).toBe(true);
});
