import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { VmplugError } from '../api/errors.ts';
import { temporaryDirectory } from '../host/host.testing.ts';
import { isBeingStarted, makeOwnDirectory } from './own-directory.ts';

function failure(work: () => void): VmplugError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return error as VmplugError;
  }
}

test('it is made once, and says who is starting the VM', () => {
  using temporary = temporaryDirectory();
  const directory = join(temporary.path, 'sandboxes/vm1');
  makeOwnDirectory(directory, 'vm1');
  expect(isBeingStarted(directory)).toBe(true);
  expect(failure(() => makeOwnDirectory(directory, 'vm1'))).toMatchObject({
    code: 'sandbox-exists',
    hint: expect.stringContaining('doctor --repair'),
  });
  expect(readFileSync(join(directory, 'starting'), 'utf8')).toMatch(/^\d+ /);
});

test('a state directory in which nothing can be made is no other run of that name', () => {
  using temporary = temporaryDirectory();
  writeFileSync(join(temporary.path, 'file'), '');
  const below = failure(() => makeOwnDirectory(join(temporary.path, 'file/sandboxes/vm1'), 'vm1'));
  expect(below).toMatchObject({
    code: 'state-unavailable',
    reason: expect.stringMatching(/not a directory/),
  });
  mkdirSync(join(temporary.path, 'sandboxes'));
  const long = 'x'.repeat(300);
  const tooLong = failure(() => makeOwnDirectory(join(temporary.path, 'sandboxes', long), long));
  expect(tooLong).toMatchObject({ code: 'state-unavailable', reason: expect.stringMatching(/too long/) });
  rmSync(join(temporary.path, 'sandboxes'), { recursive: true });
  expect(existsSync(join(temporary.path, 'sandboxes'))).toBe(false);
});
