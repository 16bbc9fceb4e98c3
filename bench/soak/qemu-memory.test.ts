import { expect, test } from 'vitest';
import { qemuMemory, readSmaps } from './qemu-memory.ts';

const smaps = `55d0c0000000-55d0c0100000 r-xp 00000000 08:01 42                         /usr/bin/qemu-system-x86_64
Size:               1024 kB
Rss:                1000 kB
Anonymous:             0 kB
55d0c1000000-55d0c1100000 rw-p 00000000 00:00 0                          [heap]
Rss:                 300 kB
Anonymous:           300 kB
7f0000000000-7f0010000000 rw-s 00000000 00:01 7                          /memfd:memory-backend-memfd (deleted)
Rss:                5000 kB
Anonymous:             0 kB
7f0020000000-7f0040000000 rwxp 00000000 00:00 0${' '}
Rss:                 700 kB
Anonymous:           700 kB
VmFlags: rd wr ex mr mw me ac sd
`;

test('the guest’s memory, TCG’s code and the rest are told apart', () => {
  expect(readSmaps(smaps)).toEqual({ own: 300 * 1024, code: 700 * 1024, guest: 5000 * 1024 });
});

test('a process of this host can be read', () => {
  expect(qemuMemory(process.pid).own).toBeGreaterThan(1024 * 1024);
});
