import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SandboxRecord } from '../api/sandbox.ts';
import { isAlive, processIdentity } from '../host/process-identity.ts';
import { startScriptedQmp, type ScriptedQmp } from '../hypervisors/qemu/qmp/scripted-peer.testing.ts';
import { SqliteStore } from '../store/sqlite-store.ts';
import { connectSandbox } from './connect.ts';
import { lifeOf } from './life.ts';
import { stopSandbox } from './stop.ts';

const limits = { timeoutMs: 5000 };

let directory: string;
let server: ScriptedQmp;
let first: ChildProcess;
let sandbox: SandboxRecord;
let asked: string[];

/** A sandbox whose VM runs, and another VM that listens where that one did. */
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-another-'));
  asked = [];
  server = await startScriptedQmp({
    onCommand: ({ execute }) => {
      asked.push(execute);
      return execute === 'query-cpus-fast' ? [{ 'cpu-index': 0, 'thread-id': 42 }] : {};
    },
  });
  first = spawn('sleep', ['600'], { stdio: 'ignore' });
  await once(first, 'spawn');
  const identity = processIdentity(first.pid ?? 0);
  if (identity === undefined) throw new Error('sleep has ended');
  sandbox = {
    name: 'vm1',
    hypervisor: 'qemu',
    socket: server.path,
    origin: 'run',
    process: identity,
    facts: { type: 'qemu', version: '7.2.22', machine: 'q35', features: ['probe:2'], thread: 41 },
    createdAt: 1,
  };
});
afterEach(async () => {
  first.kill('SIGKILL');
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

test('while the first one runs it is not reached, and its process is named', async () => {
  await expect(connectSandbox(sandbox, limits)).rejects.toMatchObject({
    code: 'vm-replaced',
    facts: { pid: first.pid },
    hint: expect.stringContaining(`end process ${first.pid}`),
  });
});

test('when the first one has ended it is gone, and the other one is not even asked', async () => {
  first.kill('SIGKILL');
  await once(first, 'exit');
  await expect(connectSandbox(sandbox, limits)).rejects.toMatchObject({ code: 'vm-gone' });
  expect(asked).toEqual([]);
});

test('stop ends the first one by its process, and never the other', async () => {
  using store = SqliteStore.open(directory);
  store.write((tx) => tx.putSandbox(sandbox));
  await stopSandbox(store, sandbox, { timeoutMs: 200 });
  expect(sandbox.process !== undefined && isAlive(sandbox.process)).toBe(false);
  expect(asked).toEqual(['query-cpus-fast']);
  expect(store.read((tx) => tx.sandboxes())).toEqual([]);
});

test('of another boot of this host every VM has ended, also one whose process was never found', () => {
  const { process: _, ...unknown } = sandbox;
  expect(lifeOf(unknown)).toBe('unknown');
  expect(lifeOf({ ...unknown, boot: 'former' })).toBe('ended');
});

test('a VMM that does not answer is ended by its process when the time is over, not after twice of it', async () => {
  using store = SqliteStore.open(directory);
  const silent = await startScriptedQmp({ onConnect: () => undefined });
  const hung = { ...sandbox, socket: silent.path };
  store.write((tx) => tx.putSandbox(hung));
  const started = performance.now();
  await stopSandbox(store, hung, { timeoutMs: 3000 });
  expect(performance.now() - started).toBeLessThan(5500);
  expect(lifeOf(hung)).toBe('ended');
  await silent.close();
});
