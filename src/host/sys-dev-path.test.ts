import { describe, expect, it } from 'vitest';
import type { DevType } from '../api/device-info.ts';
import { sysDevPath } from './sys-dev-path.ts';

const pathOf = (DevType: DevType) =>
  sysDevPath({ DevType, Major: 127, Minor: 0 }, { SysDevPrefix: '/sys/dev' });

describe('sysDevPath', () => {
  it.each<[DevType, string]>([
    ['c', '/sys/dev/char/127:0'],
    ['u', '/sys/dev/char/127:0'],
    ['b', '/sys/dev/block/127:0'],
  ])('7.1 sys path: %s 127:0', (type, path) => {
    expect(pathOf(type)).toBe(path);
  });

  it.each<[DevType]>([[''], ['p']])('7.1 sys path: a node of type %j has none', (type) => {
    expect(pathOf(type)).toBeUndefined();
  });
});
