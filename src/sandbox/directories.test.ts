import { homedir } from 'node:os';
import { expect, test } from 'vitest';
import { VmplugError } from '../api/errors.ts';
import { stateDirectory } from './directories.ts';

test('what is said comes before the environment, and that before what is usual', () => {
  expect(stateDirectory('/said', { VMPLUG_STATE_DIR: '/env' })).toBe('/said');
  expect(stateDirectory(undefined, { VMPLUG_STATE_DIR: '/env' })).toBe('/env');
  const usual = stateDirectory(undefined, {});
  expect(usual).toMatch(/\/vmplug$/);
  if (process.getuid?.() !== 0) expect(usual.startsWith(homedir())).toBe(true);
});

test('an empty directory is refused, as of a variable that is not set; an empty variable says nothing', () => {
  for (const env of [{}, { VMPLUG_STATE_DIR: '/env' }]) {
    expect(() => stateDirectory('', env)).toThrow(VmplugError);
  }
  expect(stateDirectory('', { VMPLUG_STATE_DIR: '' })).toBe(stateDirectory(undefined, {}));
});
