import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { isAlive, processIdentity } from '../../src/host/process-identity.ts';
import { ensureGuestImage } from '../guest/index.ts';
import { ensurePackages, qemuPackages, testPackages } from '../setup/packages.ts';
import { loopsOf, processesOf } from './leftovers.ts';

const told = z.object({
  directory: z.string(),
  pids: z.array(z.number()),
  loop: z.string(),
  mount: z.string(),
});

/** What the interrupted program has, once it has all of it. */
async function firstLine(stdout: NodeJS.ReadableStream): Promise<z.infer<typeof told>> {
  for await (const line of createInterface({ input: stdout })) return told.parse(JSON.parse(line));
  throw new Error('the program ended before it had anything');
}

test.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
  'a test run that ends by %s leaves no VM, no mount, no loop device and no directory',
  async (signal) => {
    await ensurePackages([...qemuPackages, ...testPackages]);
    await ensureGuestImage();
    const program = fileURLToPath(new URL('interrupted.testing.ts', import.meta.url));
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const { directory, pids, loop, mount } = await firstLine(child.stdout);
    expect(processesOf(directory)).toEqual(expect.arrayContaining(pids));
    expect(loopsOf(directory)).toEqual([loop]);
    const vms = pids.map((pid) => processIdentity(pid));

    child.kill(signal);
    await expect.poll(() => existsSync(directory), { timeout: 60_000, interval: 50 }).toBe(false);
    expect(processesOf(directory)).toEqual([]);
    expect(loopsOf(directory)).toEqual([]);
    expect(vms.filter((vm) => vm === undefined || isAlive(vm))).toEqual([]);
    expect(existsSync(mount)).toBe(false);
  },
);

test('a program that disposes of its lab ends by itself', async () => {
  const program = fileURLToPath(new URL('interrupted.testing.ts', import.meta.url));
  const child = spawn(process.execPath, [program, 'ends'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const { directory } = await firstLine(child.stdout);
  const code = await new Promise((resolve) => child.once('exit', resolve));
  expect(code).toBe(0);
  expect(existsSync(directory)).toBe(false);
});
