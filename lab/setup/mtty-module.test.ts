import { expect, test } from 'vitest';
import { modulePackagesOf } from './mtty-module.ts';

test('a module is compiled with the packages of just its kernel', () => {
  expect(modulePackagesOf({ release: '6.1.0-56-amd64', version: '6.1.192-2' })).toEqual([
    'linux-headers-6.1.0-56-amd64=6.1.192-2',
    'linux-headers-6.1.0-56-common=6.1.192-2',
    'linux-kbuild-6.1=6.1.192-2',
    'linux-source-6.1=6.1.192-2',
  ]);
});
