import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeDirectories } from './make-directories.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vmplug-directories-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('all that are missing are made, with the mode; what is there is no error', () => {
  makeDirectories(join(root, 'a/b/c'), 0o700);
  makeDirectories(join(root, 'a/b/c'), 0o755);
  for (const made of ['a', 'a/b', 'a/b/c']) expect(statSync(join(root, made)).mode & 0o777).toBe(0o700);
});

test('a file, a link to nowhere, and a place where none can be made are errors at once', () => {
  writeFileSync(join(root, 'file'), '');
  symlinkSync(join(root, 'nowhere'), join(root, 'link'));
  const codeOf = (path: string): unknown => {
    try {
      makeDirectories(path, 0o700);
    } catch (error) {
      return error instanceof Error && 'code' in error ? error.code : error;
    }
    return 'made';
  };
  expect(codeOf(join(root, 'file'))).toBe('EEXIST');
  expect(codeOf(join(root, 'file', 'x'))).toBe('ENOTDIR');
  expect(codeOf(join(root, 'link', 'x'))).toBe('ENOENT');
  expect(codeOf('/proc/no-such-directory/x')).toBe('ENOENT');
});
