import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeOctal, parseMountinfo } from './mountinfo.ts';
import { parseSwaps } from './disk/swaps.ts';

const encode = (text: string): string =>
  text.replace(/[ \t\n\\#]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);

describe('parseMountinfo', () => {
  it('takes any number of optional fields', () => {
    const text =
      '36 35 8:1 / /mnt rw,noatime - ext4 /dev/sda1 rw,errors=continue\n' +
      '37 35 8:2 /sub /b\\040c ro master:1 propagate_from:2 - vfat /dev/sda2 ro,x\n';
    expect(parseMountinfo(text)).toEqual([
      {
        device: { major: 8, minor: 1 },
        mountPoint: '/mnt',
        fileSystem: 'ext4',
        source: '/dev/sda1',
        readOnly: false,
      },
      {
        device: { major: 8, minor: 2 },
        mountPoint: '/b c',
        fileSystem: 'vfat',
        source: '/dev/sda2',
        readOnly: true,
      },
    ]);
  });

  it('goes by the superblock, not by the mount, for read-only', () => {
    expect(parseMountinfo('1 2 8:1 / /m ro,relatime - ext4 /dev/sda1 rw')[0]?.readOnly).toBe(false);
  });

  it('survives an empty source and lines that are none', () => {
    expect(parseMountinfo('1 2 0:5 / /m rw - tmpfs  rw\n\nx\n1 2 z / /m rw - a b c\n')).toMatchObject([
      { source: '' },
    ]);
  });

  it('gives back every mount that the kernel could write', () => {
    const path = fc
      .string({
        unit: fc.oneof(
          fc.constantFrom(' ', '\t', '\n', '\\', '#', '-'),
          fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
        ),
      })
      .map((s) => `/${s.replaceAll('\0', '')}`);
    const mount = fc.record({
      major: fc.nat(4095),
      minor: fc.nat(1048575),
      point: path,
      source: path,
      optional: fc.array(fc.constantFrom('shared:1', 'master:2', 'unbindable')),
      ro: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(mount), (mounts) => {
        const text = mounts
          .map((m) =>
            [
              '1 2',
              `${m.major}:${m.minor}`,
              '/',
              encode(m.point),
              'rw',
              ...m.optional,
              '-',
              'ext4',
              encode(m.source),
              m.ro ? 'ro' : 'rw,x',
            ].join(' '),
          )
          .join('\n');
        expect(parseMountinfo(text)).toEqual(
          mounts.map((m) => ({
            device: { major: m.major, minor: m.minor },
            mountPoint: m.point,
            fileSystem: 'ext4',
            source: m.source,
            readOnly: m.ro,
          })),
        );
      }),
    );
  });
});

describe('decodeOctal', () => {
  it('decodes once', () => {
    expect(decodeOctal('a\\134040')).toBe('a\\040');
  });
});

describe('parseSwaps', () => {
  it('takes names with spaces, and nothing from the heading', () => {
    const text =
      'Filename\t\t\t\tType\t\tSize\n/dev/sda2                               partition\t10\n/s\\040w file 4092 0 -2\n';
    expect(parseSwaps(text)).toEqual(['/dev/sda2', '/s w']);
    expect(parseSwaps('')).toEqual([]);
  });
});
