import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FsPersistDriver } from './fs-persist-driver.ts';

// These need `flock` of util-linux, which every Debian has.

let root: string;
let directory: string;
let driver: FsPersistDriver;
const children: ChildProcess[] = [];

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'vmplug-lock-'));
  driver = new FsPersistDriver(root);
  directory = join(root, 'sbs', 'sid');
  await driver.prepare('sid');
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

/** A process of v1's: it has the directory's flock until its input ends. */
async function v1Process(mode: '--exclusive' | '--shared'): Promise<ChildProcess> {
  const child = spawn(
    'flock',
    ['--no-fork', mode, directory, 'sh', '-c', 'echo locked; exec cat >/dev/null'],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  children.push(child);
  await once(child.stdout ?? child, 'data');
  return child;
}

/** How many descriptors of this process are open on `path`. */
function openDescriptors(path: string): number {
  const links = readdirSync('/proc/self/fd').map((descriptor) => linkOf(`/proc/self/fd/${descriptor}`));
  return links.filter((link) => link === path).length;
}

/** The descriptor of the listing itself is gone by now. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

test('7.4 shared lock: two have it at once; each is released once', async () => {
  const first = await driver.lock('sid', false);
  const second = await driver.lock('sid', false);
  first();
  second();
  expect(second).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
});

test('7.4 exclusive lock: taken again after it was released; releasing twice is an error', async () => {
  (await driver.lock('sid', true))();
  const unlock = await driver.lock('sid', true);
  unlock();
  expect(unlock).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
});

test('5.6: a sandbox that is not kept cannot be locked, and locking makes nothing', async () => {
  await expect(driver.lock('other', true)).rejects.toMatchObject({ code: 'sandbox-not-found' });
  await expect(driver.lock('', true)).rejects.toMatchObject({ code: 'invalid-argument' });
  expect(readdirSync(join(root, 'sbs'))).toEqual(['sid']);
});

test('W84: waiting for a lock has a deadline, whoever has it', async () => {
  const timeoutMs = 50;
  const unlock = await driver.lock('sid', true);
  for (const exclusive of [true, false]) {
    await expect(driver.lock('sid', exclusive, { timeoutMs })).rejects.toMatchObject({
      code: 'deadline-passed',
    });
  }
  unlock();
  await v1Process('--shared');
  (await driver.lock('sid', false, { timeoutMs: 5000 }))();
  await expect(driver.lock('sid', true, { timeoutMs })).rejects.toMatchObject({
    code: 'deadline-passed',
    hint: expect.stringContaining(directory),
  });
});

test('W84: waiting for a lock can be given up', async () => {
  await v1Process('--exclusive');
  const giveUp = new AbortController();
  const waiting = driver.lock('sid', false, { timeoutMs: 60_000, signal: giveUp.signal });
  giveUp.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
  await expect(driver.lock('sid', false, { signal: giveUp.signal })).rejects.toMatchObject({
    code: 'aborted',
  });
  expect(openDescriptors(directory)).toBe(0);
});

test('v1’s processes and vmplug exclude one another, and one that is killed frees its lock', async () => {
  const other = await v1Process('--exclusive');
  const waiting = driver.lock('sid', true, { timeoutMs: 10_000 });
  other.kill('SIGKILL');
  const unlock = await waiting;
  const refused = spawn('flock', ['--exclusive', '--nonblock', directory, 'true'], { stdio: 'ignore' });
  children.push(refused);
  expect((await once(refused, 'exit'))[0]).toBe(1);
  unlock();
  const allowed = spawn('flock', ['--exclusive', '--nonblock', directory, 'true'], { stdio: 'ignore' });
  children.push(allowed);
  expect((await once(allowed, 'exit'))[0]).toBe(0);
});

test('W104: whoever waited for a directory that was made anew gets the lock of the one that is there', async () => {
  const other = await v1Process('--exclusive');
  const waiting = driver.lock('sid', true, { timeoutMs: 10_000 });
  renameSync(directory, join(root, 'old'));
  mkdirSync(directory);
  other.stdin?.end();
  const unlock = await waiting;
  await expect(driver.lock('sid', true, { timeoutMs: 50 })).rejects.toMatchObject({
    code: 'deadline-passed',
  });
  unlock();
});

test('W104: of two that make a sandbox at once, only one writes at a time', async () => {
  await Promise.all([driver.prepare('fresh'), driver.prepare('fresh')]);
  const unlock = await driver.lock('fresh', true);
  await expect(driver.lock('fresh', true, { timeoutMs: 50 })).rejects.toMatchObject({
    code: 'deadline-passed',
  });
  unlock();
});
