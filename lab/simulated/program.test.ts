import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { QmpConnection } from '../../src/hypervisors/qemu/qmp/index.ts';

/** The simulated QEMU as a program of its own, and its control socket. */
const program = fileURLToPath(new URL('../../src/hypervisors/simulated/main.ts', import.meta.url));
const limits = { timeoutMs: 15_000 };
let directory: string;
let child: ChildProcess;
let control: Socket;
let answers: AsyncIterator<string>;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'simulated-program-'));
  const at = (name: string): string => join(directory, name);
  const args = ['--qmp', at('%d.qmp'), '--vms', '3', '--control', at('control'), '--time', 'virtual'];
  child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`it ended with ${code}`)));
  });
  control = createConnection(at('control'));
  answers = createInterface({ input: control })[Symbol.asyncIterator]();
});
afterEach(async () => {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  control.destroy();
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await ended;
  }
  rmSync(directory, { recursive: true, force: true });
});

async function next(): Promise<unknown> {
  const { value } = await answers.next();
  return JSON.parse(String(value));
}

async function tell(request: object): Promise<unknown> {
  control.write(`${JSON.stringify(request)}\n`);
  return next();
}

test('many VMs, in a time that passes when it is told to; a point is held and cut', async () => {
  const vm = join(directory, '1.qmp');
  await using qmp = await QmpConnection.connect(vm, limits);
  const file = { driver: 'file', 'node-name': 'f', filename: '/disk' };
  await qmp.execute('blockdev-add', { driver: 'raw', 'node-name': 'a', file });
  await qmp.execute('device_add', { driver: 'virtio-blk-pci', id: 'd', bus: 'port0', addr: '0', drive: 'a' });
  expect(await tell({ do: 'advance', ms: 100 })).toEqual({ ok: true });
  const device = { id: 'd', model: 'virtio-blk-pci', evidence: 'live', leaving: false };
  const empty = { status: 'running', devices: [], backEnds: [] };
  expect(await tell({ do: 'list' })).toEqual({
    ok: true,
    vms: [
      { ...empty, vm: join(directory, '0.qmp'), messages: 0 },
      { ...empty, vm, devices: [device], backEnds: ['a', 'f'], messages: 3 },
      { ...empty, vm: join(directory, '2.qmp'), messages: 0 },
    ],
  });
  expect(await tell({ do: 'hold', vm, at: { name: 'query-status', phase: 'before' } })).toEqual({ ok: true });
  const asked = qmp.execute('query-status', {}, limits);
  expect(await next()).toMatchObject({ held: { vm, name: 'query-status', phase: 'before' } });
  control.write(`${JSON.stringify({ do: 'release', vm, drop: true })}\n`);
  await expect(asked).rejects.toMatchObject({ code: 'outcome-unknown' });
  expect(await next()).toEqual({ ok: true });
  expect(await tell({ do: 'boot', vm: '/nowhere' })).toEqual({ error: 'there is no VM behind /nowhere' });
});

test('it dies as by SIGKILL when it is told to', async () => {
  const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  control.write('{"do":"kill"}\n');
  expect(await ended).toBe('SIGKILL');
  await expect(QmpConnection.connect(join(directory, '0.qmp'), limits)).rejects.toMatchObject({
    code: 'vm-gone',
  });
});
