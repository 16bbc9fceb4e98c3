import { describe, expect, it } from 'vitest';
import type { DevType } from '../../api/device-info.ts';
import { isBlock, isVFIO, isVhostUserBlk, isVhostUserSCSI } from './predicates.ts';

describe('isVFIO', () => {
  it.each(['/dev/vfio/16', '/dev/vfio/1', '/dev/vfio/noiommu-0'])('7.3 isVFIO: %s is', (path) => {
    expect(isVFIO(path)).toBe(true);
  });

  it.each([
    '/dev/vfio/',
    '/dev/vfio',
    '/dev/vf',
    '/dev',
    '/dev/vfio/vfio',
    '/dev/vfio/vfio/12',
    '/dev/vfio/vfio12',
    '',
    'x/dev/vfio/1',
  ])('7.3 isVFIO: %j is not', (path) => {
    expect(isVFIO(path)).toBe(false);
  });
});

it('7.3 isBlock: b alone is', () => {
  const types: DevType[] = ['b', 'c', 'u', 'p', ''];
  expect(types.filter((DevType) => isBlock({ DevType }))).toEqual(['b']);
});

it.each<[DevType, number, boolean, boolean]>([
  ['b', 241, true, false],
  ['c', 241, false, false],
  ['b', 242, false, true],
  ['c', 242, false, false],
  ['b', 240, false, false],
])('7.3 isVhostUserBlk, isVhostUserSCSI: %s:%d is %s, %s', (DevType, Major, blk, scsi) => {
  expect([isVhostUserBlk({ DevType, Major }), isVhostUserSCSI({ DevType, Major })]).toEqual([blk, scsi]);
});
