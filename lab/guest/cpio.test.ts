import { describe, expect, test } from 'vitest';
import { cpioArchive } from './cpio.ts';

/** Reads an archive back, by the format's own rules. */
function read(
  archive: Buffer,
): { name: string; mode: number; links: number; rdev: [number, number]; data: string }[] {
  const found = [];
  let at = 0;
  for (;;) {
    expect(archive.toString('ascii', at, at + 6)).toBe('070701');
    const field = (index: number): number => {
      const start = at + 6 + index * 8;
      return Number.parseInt(archive.toString('ascii', start, start + 8), 16);
    };
    const nameSize = field(11);
    const size = field(6);
    const name = archive.toString('utf8', at + 110, at + 110 + nameSize - 1);
    const start = Math.ceil((at + 110 + nameSize) / 4) * 4;
    const data = archive.toString('utf8', start, start + size);
    if (name === 'TRAILER!!!') return found;
    found.push({
      name,
      mode: field(1),
      links: field(4),
      rdev: [field(9), field(10)] as [number, number],
      data,
    });
    at = Math.ceil((start + size) / 4) * 4;
  }
}

describe('cpioArchive', () => {
  test('writes directories, files, links and device nodes', () => {
    const archive = cpioArchive([
      { kind: 'directory', path: 'dev' },
      { kind: 'character-device', path: 'dev/console', major: 5, minor: 1 },
      { kind: 'file', path: 'a', data: 'four' },
      { kind: 'file', path: 'bin', data: Buffer.from('12345'), mode: 0o755 },
      { kind: 'symlink', path: 'init', target: 'bin/busybox' },
    ]);
    expect(archive.length % 4).toBe(0);
    expect(read(archive)).toEqual([
      { name: 'dev', mode: 0o040755, links: 2, rdev: [0, 0], data: '' },
      { name: 'dev/console', mode: 0o020600, links: 1, rdev: [5, 1], data: '' },
      { name: 'a', mode: 0o100644, links: 1, rdev: [0, 0], data: 'four' },
      { name: 'bin', mode: 0o100755, links: 1, rdev: [0, 0], data: '12345' },
      { name: 'init', mode: 0o120777, links: 1, rdev: [0, 0], data: 'bin/busybox' },
    ]);
  });

  test('equal entries give equal bytes, and names and contents of every length stay aligned', () => {
    const entries = Array.from({ length: 9 }, (_, index) => ({
      kind: 'file' as const,
      path: 'n'.repeat(index + 1),
      data: 'd'.repeat(index),
    }));
    const archive = cpioArchive(entries);
    expect(archive.equals(cpioArchive(entries))).toBe(true);
    expect(read(archive).map(({ name, data }) => [name, data])).toEqual(
      entries.map(({ path, data }) => [path, data]),
    );
  });
});
