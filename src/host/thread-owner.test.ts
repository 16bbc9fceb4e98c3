import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fakeHost, type FakeHost } from './host.testing.ts';
import { isThreadOfAnother } from './thread-owner.ts';

function addThread(host: FakeHost, pid: number, thread: number, inNamespace = thread): void {
  const status = `Name:\tqemu\nTgid:\t${pid}\nNSpid:\t${thread}\t${inNamespace}\n`;
  for (const directory of [`${pid}/task/${thread}`, `${thread}`]) {
    mkdirSync(join(host.paths.proc, directory), { recursive: true });
    writeFileSync(join(host.paths.proc, directory, 'status'), status);
  }
}

test('a thread of the process itself, by its number here or in its own pid namespace', () => {
  using host = fakeHost();
  addThread(host, 100, 100);
  addThread(host, 100, 104);
  addThread(host, 200, 205, 7);
  addThread(host, 1, 7);
  expect(isThreadOfAnother(104, 100, host.paths)).toBe(false);
  expect(isThreadOfAnother(205, 200, host.paths)).toBe(false);
  expect(isThreadOfAnother(7, 200, host.paths)).toBe(false);
});

test('a thread of another process, as when the process only passes on what a VM says', () => {
  using host = fakeHost();
  addThread(host, 100, 104);
  addThread(host, 300, 300);
  expect(isThreadOfAnother(104, 300, host.paths)).toBe(true);
});

test('a number that no thread of this host has says nothing', () => {
  using host = fakeHost();
  addThread(host, 300, 300);
  expect(isThreadOfAnother(4711, 300, host.paths)).toBe(false);
});
