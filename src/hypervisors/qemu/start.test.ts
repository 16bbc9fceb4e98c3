import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAlive, processIdentity, waitForEnd } from '../../host/process-identity.ts';
import type { ProcessIdentity } from '../../api/operation.ts';
import type { Plan } from '../../api/plan.ts';
import type { QemuMachine } from './command-line.ts';
import { startQemu } from './start.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-start-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const vm = (): QemuMachine => ({
  name: 'vm1',
  machine: 'q35',
  ports: 0,
  memory: '256M',
  kernel: '/k',
  accel: 'tcg',
  qmpSocket: join(directory, 'qmp'),
  consoleLog: join(directory, 'console'),
  execSocket: join(directory, 'exec'),
});

/** A program in the place of QEMU that says that it ran. */
function program(script: string): { binary: string; log: string; ran: string } {
  const binary = join(directory, 'qemu');
  const ran = join(directory, 'ran');
  writeFileSync(binary, `#!/bin/sh\necho $$ "$1" > ${ran}\n${script}\n`);
  chmodSync(binary, 0o755);
  return { binary, ran, log: join(directory, 'log') };
}

test('the process is told of before anything of QEMU runs: when that fails, nothing ever does', async () => {
  const { ran, ...fake } = program('exec sleep 60');
  const told: (ProcessIdentity | undefined)[] = [];
  const started = startQemu(vm(), {
    ...fake,
    timeoutMs: 10_000,
    onProcess: (pid) => {
      told.push(processIdentity(pid));
      throw new Error('cannot be kept');
    },
  });
  await expect(started).rejects.toThrow('cannot be kept');
  const [process] = told;
  expect(process).toBeDefined();
  expect(process !== undefined && (await waitForEnd(process, 10_000))).toBe(true);
  expect(existsSync(ran)).toBe(false);
});

test('the process that was told of becomes QEMU; what ends without a word is told, and so are its last words', async () => {
  const silent = program('exit 3');
  const failed = { code: 'start-failed', subject: 'vm1' };
  await expect(startQemu(vm(), { ...silent, timeoutMs: 10_000 })).rejects.toMatchObject({
    ...failed,
    reason: expect.stringContaining('3'),
  });
  expect(existsSync(silent.ran)).toBe(true);
  const talking = program('echo "no such machine" >&2; exit 1');
  await expect(startQemu(vm(), { ...talking, timeoutMs: 10_000 })).rejects.toMatchObject({
    ...failed,
    reason: 'no such machine',
  });
});

test('a log that cannot be made, or that somebody has removed with the sandbox, is no fault of vmplug', async () => {
  const { ran, ...fake } = program('rm -r "$(dirname "$0")"; exit 3');
  const nowhere = { ...fake, log: join(directory, 'missing/log') };
  await expect(startQemu(vm(), { ...nowhere, timeoutMs: 10_000 })).rejects.toMatchObject({
    code: 'start-failed',
    reason: expect.stringMatching(/ENOENT.*missing/),
  });
  expect(existsSync(ran)).toBe(false);
  await expect(startQemu(vm(), { ...fake, timeoutMs: 10_000 })).rejects.toMatchObject({
    code: 'start-failed',
    reason: 'it ended with 3',
  });
});

test('what does not open its socket in time is ended', async () => {
  const { ran: _, ...fake } = program('exec sleep 60');
  const told: ProcessIdentity[] = [];
  const onProcess = (pid: number): void => {
    const identity = processIdentity(pid);
    if (identity !== undefined) told.push(identity);
  };
  await expect(startQemu(vm(), { ...fake, timeoutMs: 300, onProcess })).rejects.toMatchObject({
    code: 'deadline-passed',
  });
  const [identity] = told;
  expect(identity !== undefined && (await waitForEnd(identity, 10_000)) && isAlive(identity)).toBe(false);
});

/** A plan that hands a connection over, and nothing else. */
const handingOver = (vmmId: string): Plan => ({
  vmmId,
  steps: [
    {
      summary: 'hand the connection over',
      run: {
        execute: 'getfd',
        arguments: { fdname: vmmId },
        peer: { connectTo: '/s', protocol: 'vhost-user', afterwards: 'hand-over' },
      },
      undo: { execute: 'closefd', arguments: { fdname: vmmId } },
    },
  ],
});

test('connections are inherited in the order of the devices, and are QEMU’s alone once they are closed here', async () => {
  const { ran: _, ...fake } = program('echo -n first >&3; echo -n second >&4; exit 1');
  const server = createServer((socket) => said.push(text(socket))).listen(join(directory, 's'));
  const said: Promise<string>[] = [];
  await once(server, 'listening');
  const connections = new Map([
    ['b', await connected()],
    ['a', await connected()],
  ]);
  async function connected(): Promise<Socket> {
    const socket = connect(join(directory, 's'));
    await Promise.all([once(socket, 'connect'), once(server, 'connection')]);
    return socket;
  }
  try {
    const coldPlug = [handingOver('a'), handingOver('b')];
    const started = startQemu({ ...vm(), coldPlug }, { ...fake, timeoutMs: 10_000, connections });
    await expect(started).rejects.toMatchObject({ code: 'start-failed' });
  } finally {
    connections.forEach((socket) => socket.destroy());
    server.close();
  }
  // Accepted in the order in which they were made: b, then a.
  expect(await Promise.all(said)).toEqual(['second', 'first']);
});

test('a device whose connection is not there is a fault here, and nothing is started', async () => {
  const { ran, ...fake } = program('exit 1');
  const started = startQemu({ ...vm(), coldPlug: [handingOver('a')] }, { ...fake, timeoutMs: 10_000 });
  await expect(started).rejects.toThrow(TypeError);
  expect(existsSync(ran)).toBe(false);
});
