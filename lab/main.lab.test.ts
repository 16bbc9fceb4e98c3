import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { isAlive, processIdentity } from '../src/host/process-identity.ts';
import { QmpConnection } from '../src/hypervisors/qemu/index.ts';
import { labGuests } from './guests.ts';
import { ensureQemu10 } from './setup/qemu10.ts';
import { ensurePackages, labPackages } from './setup/packages.ts';

const program = fileURLToPath(new URL('main.ts', import.meta.url));

/** `npm run lab -- ARGS`, with `input` from a pipe. */
async function labCommand(
  input: string,
  ...args: string[]
): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [program, ...args]);
  child.stdin.end(input);
  const code = new Promise((resolve) => child.once('exit', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, stdout, stderr };
}

beforeAll(async () => {
  await ensurePackages(labPackages);
  await ensureQemu10();
}, 300_000);

test('ls has a line for every machine, and a wrong name is answered with them', async () => {
  const { code, stdout } = await labCommand('', 'ls');
  expect(code).toBe(0);
  const names = stdout.split('\n').flatMap((line) => line.split(' ')[0] || []);
  expect(names).toEqual([...labGuests.keys()]);
  const wrong = await labCommand('', 'shell', 'q36');
  expect(wrong).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('q35@10') });
  expect(await labCommand('', 'shell')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('npm run lab'),
  });
});

test('shell runs the lines of a pipe in the guest, one after the other, and exits as the last one did', async () => {
  const lines = 'cd /sys/block\npwd\n\nuname -m\necho words >&2; exit 7\n';
  const { code, stdout, stderr } = await labCommand(lines, 'shell', 's390x');
  expect(stdout).toBe('/sys/block\ns390x\n');
  expect(stderr).toMatch(/words\n$/);
  expect(code).toBe(7);
});

test('start tells how to adopt the machine, and Ctrl-C ends it', async () => {
  const child = spawn(process.execPath, [program, 'start', 'q35@10', '-device', 'virtio-scsi-pci'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let said = '';
  for await (const part of child.stdout) {
    said += String(part);
    if (said.includes('Ctrl-C')) break;
  }
  const [, qmp = ''] = /--qmp (\S+)/.exec(said) ?? [];
  const vm = processIdentity(Number(/process +(\d+)/.exec(said)?.[1]));
  {
    await using connection = await QmpConnection.connect(qmp, { timeoutMs: 20_000 });
    expect(await connection.execute('query-version')).toMatchObject({ qemu: { major: 10 } });
    // Loads every module that QEMU has, none of them the system's.
    expect(await connection.execute('qom-list-types')).toContainEqual(
      expect.objectContaining({ name: 'virtio-scsi-pci' }),
    );
  }
  child.kill('SIGINT');
  expect(await ended).toBe(0);
  expect(vm !== undefined && !isAlive(vm)).toBe(true);
  expect(existsSync(dirname(qmp))).toBe(false);
});
