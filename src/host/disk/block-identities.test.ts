import { statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ClaimMode } from '../../api/host-device.ts';
import { blockClaims } from './block-identities.ts';
import { claimsAgree } from '../claim-modes.ts';
import { fileKey } from '../device-number.ts';
import { fakeHost, type FakeHost } from '../host.testing.ts';

const keys = (host: FakeHost, minor: number, mode: ClaimMode = 'exclusive', major = 8): string[] =>
  blockClaims({ major, minor }, mode, host.paths).map((claim) => claim.key);

function clash(host: FakeHost, a: [number, number], b: [number, number]): boolean {
  const claims = ([major, minor]: [number, number]) => blockClaims({ major, minor }, 'exclusive', host.paths);
  return claims(a).some((one) =>
    claims(b).some((two) => one.key === two.key && !claimsAgree(one.mode, two.mode)),
  );
}

function twoPartitions(host: FakeHost, disk: string, major: number, minor: number, wwid?: string): void {
  host.addBlock(disk, `${major}:${minor}`, wwid === undefined ? {} : { 'device/wwid': wwid });
  host.addBlock(`${disk}/${disk}1`, `${major}:${minor + 1}`, { partition: '1', start: '2048' });
  host.addBlock(`${disk}/${disk}2`, `${major}:${minor + 2}`, { partition: '2', start: '4096' });
}

describe('blockClaims', () => {
  it('puts the node itself first, then its WWN', () => {
    using host = fakeHost();
    host.addBlock('sda', '8:0', { 'device/wwid': 'naa.5000c500a1b2c3d4' });
    expect(blockClaims({ major: 8, minor: 0 }, 'exclusive', host.paths)).toEqual([
      { key: 'block:8:0', mode: 'exclusive' },
      { key: 'wwn:naa.5000c500a1b2c3d4', mode: 'exclusive' },
    ]);
  });

  it.each(['', 'eui.0000000000000000', 'naa.0'])('takes %j for no WWN', (wwid) => {
    using host = fakeHost();
    host.addBlock('sda', '8:0', { wwid, 'device/wwid': wwid });
    expect(keys(host, 0)).toEqual(['block:8:0']);
  });

  it('tells partitions from each other and from the whole', () => {
    using host = fakeHost();
    twoPartitions(host, 'sda', 8, 0, 'naa.1');
    expect(clash(host, [8, 1], [8, 2])).toBe(false);
    expect(clash(host, [8, 1], [8, 1])).toBe(true);
    expect(clash(host, [8, 0], [8, 2])).toBe(true);
    expect(clash(host, [8, 1], [8, 0])).toBe(true);
  });

  it('knows one LUN by two paths, whole and partition by partition', () => {
    using host = fakeHost();
    twoPartitions(host, 'sda', 8, 0, 'naa.1');
    twoPartitions(host, 'sdb', 8, 16, 'naa.1');
    expect(clash(host, [8, 0], [8, 16])).toBe(true);
    expect(clash(host, [8, 0], [8, 17])).toBe(true);
    expect(clash(host, [8, 1], [8, 17])).toBe(true);
    expect(clash(host, [8, 1], [8, 18])).toBe(false);
  });

  it('follows device-mapper down: two volumes agree, a volume and its disk do not', () => {
    using host = fakeHost();
    twoPartitions(host, 'sda', 8, 0);
    host.addBlock('dm-0', '253:0');
    host.addBlock('dm-1', '253:1');
    host.addBlock('dm-2', '253:2');
    host.stack('dm-0', 'sda1');
    host.stack('dm-1', 'sda1');
    host.stack('dm-2', 'dm-1');
    expect(keys(host, 2, 'shared-write', 253)).toContain('block:8:0');
    expect(clash(host, [253, 0], [253, 2])).toBe(false);
    expect(clash(host, [253, 1], [253, 2])).toBe(true);
    expect(clash(host, [253, 2], [8, 1])).toBe(true);
    expect(clash(host, [253, 2], [8, 0])).toBe(true);
    expect(clash(host, [253, 2], [8, 2])).toBe(false);
  });

  it('claims the file behind a loop device, and of a partition its stretch of it', () => {
    using host = fakeHost();
    const image = host.write('disk with\nnewline.img', 'x');
    for (const [name, minor] of [
      ['loop0', 0],
      ['loop1', 16],
    ] as const) {
      host.addBlock(name, `7:${minor}`, { 'loop/backing_file': image, 'loop/offset': '0' });
      host.addBlock(`${name}/${name}p1`, `7:${minor + 1}`, { partition: '1', start: '8' });
    }
    const key = fileKey(statSync(image, { bigint: true }));
    expect(blockClaims({ major: 7, minor: 0 }, 'exclusive', host.paths)).toContainEqual({
      key,
      mode: 'exclusive',
    });
    expect(keys(host, 1, 'exclusive', 7)).toContain(`${key}@4096+1048576`);
    expect(clash(host, [7, 0], [7, 16])).toBe(true);
    expect(clash(host, [7, 1], [7, 17])).toBe(true);
  });

  it('has nothing to claim of a deleted backing file, and ends when sysfs goes in a circle', () => {
    using host = fakeHost();
    host.addBlock('loop0', '7:0', { 'loop/backing_file': '/gone.img (deleted)' });
    host.addBlock('dm-0', '253:0');
    host.addBlock('dm-1', '253:1');
    host.stack('dm-0', 'dm-1');
    host.stack('dm-1', 'dm-0');
    expect(keys(host, 0, 'exclusive', 7)).toEqual(['block:7:0']);
    expect(keys(host, 0, 'shared-write', 253)).toContain('block:253:1');
  });
});
