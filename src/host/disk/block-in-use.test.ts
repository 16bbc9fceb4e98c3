import { statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { blockUses, fileUses } from './block-in-use.ts';
import { fileKey, parseDeviceNumber } from '../device-number.ts';
import { hostUsage } from './host-usage.ts';
import { fakeHost, type FakeHost } from '../host.testing.ts';

const uses = (host: FakeHost, number: string): string[] => {
  const device = parseDeviceNumber(number);
  if (device === undefined) throw new Error(number);
  return blockUses(device, hostUsage(host.paths)).map(({ what }) => what);
};
const mount = (host: FakeHost, ...mounts: [string, string][]): void => {
  const lines = mounts.map(([number, point]) => `36 35 ${number} / ${point} rw shared:1 - ext4 /dev/x rw\n`);
  host.write('proc/self/mountinfo', lines.join(''));
};
const partitioned = (): FakeHost => {
  const host = fakeHost();
  host.addBlock('sda', '8:0');
  host.addBlock('sda/sda1', '8:1', { partition: '1', start: '2048' });
  host.addBlock('sda/sda2', '8:2', { partition: '2', start: '4096' });
  return host;
};

describe('blockUses', () => {
  it('finds nothing on a free disk', () => {
    using host = partitioned();
    expect(uses(host, '8:0')).toEqual([]);
  });

  it('finds a mount of the node and of its partitions, and not of its neighbour', () => {
    using host = partitioned();
    mount(host, ['8:1', '/mnt/a\\040b'], ['8:16', '/other']);
    expect(uses(host, '8:1')).toEqual(['is mounted on /mnt/a b']);
    expect(uses(host, '8:0')).toEqual(['has the partition sda1, which is mounted on /mnt/a b']);
    expect(uses(host, '8:2')).toEqual([]);
  });

  it('finds the mounts of several partitions', () => {
    using host = partitioned();
    mount(host, ['8:1', '/1'], ['8:2', '/2']);
    expect(uses(host, '8:0')).toHaveLength(2);
  });

  it('finds a mount of the whole disk from its partition', () => {
    using host = partitioned();
    mount(host, ['8:0', '/']);
    expect(uses(host, '8:2')).toEqual(['is part of sda, which is mounted on /']);
  });

  it('finds holders, by device-mapper name where there is one', () => {
    using host = partitioned();
    host.addBlock('dm-3', '253:3', { 'dm/name': 'vg-root' });
    host.addBlock('md0', '9:0');
    host.stack('dm-3', 'sda1');
    host.stack('md0', 'sda2');
    expect(uses(host, '8:1')).toEqual(['is held by dm-3 (device-mapper vg-root)']);
    expect(uses(host, '8:0')).toContain('has the partition sda2, which is held by md0');
    expect(uses(host, '253:3')).toEqual([]);
  });

  it('looks through a loop device at what it reads', () => {
    using host = partitioned();
    const image = host.write('a.img', 'x');
    host.addBlock('loop0', '7:0', { 'loop/backing_file': image });
    host.addBlock('loop1', '7:1', { 'loop/backing_file': image });
    host.addBlock('loop1/loop1p1', '259:1', { partition: '1', start: '8' });
    mount(host, ['259:1', '/mnt']);
    const found = 'backs loop1, which has the partition loop1p1, which is mounted on /mnt';
    expect(
      fileUses(fileKey(statSync(image, { bigint: true })), hostUsage(host.paths)).map((u) => u.what),
    ).toEqual([found]);
    expect(uses(host, '7:0')).toEqual([`reads a file or disk that ${found}`]);
  });

  it('refuses to guess when the mounts cannot be read, and takes no swap list for no swap', () => {
    using host = partitioned();
    const blind = { ...host.paths, proc: `${host.directory}/nowhere` };
    expect(() => blockUses({ major: 8, minor: 0 }, hostUsage(blind))).toThrow(/nobody can tell/);
    expect(fileUses('file:1:2', hostUsage(blind))).toEqual([]);
  });
});

describe('fileUses', () => {
  it('finds a swap file by its inode, whatever it is called', () => {
    using host = fakeHost();
    const swap = host.write('s w', 'x');
    host.write('proc/swaps', `Filename Type\n${swap.replaceAll(' ', '\\040')}   file\t4092\t0\t-2\n`);
    const key = fileKey(statSync(swap, { bigint: true }));
    expect(fileUses(key, hostUsage(host.paths))).toEqual([{ what: 'is swap space', writes: true }]);
  });
});
