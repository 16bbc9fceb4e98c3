import { expect, test } from 'vitest';
import { mountsOf, names, socketsIn } from './leftovers.ts';

const lab = '/tmp/vmplug-lab-a1';

test('a path in the directory belongs to it, one that only begins like it does not', () => {
  expect(names(`qemu\0-qmp\0unix:${lab}/qmp,server=on`, lab)).toBe(true);
  expect(names(`TMPDIR=${lab}\0`, lab)).toBe(true);
  expect(names(`virtiofsd\0${lab}`, lab)).toBe(true);
  expect(names(`qemu\0unix:${lab}2/qmp\0${lab}-b\0${lab}.log`, lab)).toBe(false);
  expect(names(`${lab}2 ${lab}/x`, lab)).toBe(true);
});

test('the sockets that are bound in the directory are found by their inodes', () => {
  const table = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 4711 ${lab}/qmp
0000000000000000: 00000003 00000000 00000000 0001 03 4712 ${lab}2/qmp
0000000000000000: 00000003 00000000 00000000 0001 03 4713
`;
  expect([...socketsIn(table, lab)]).toEqual(['socket:[4711]']);
});

test('mounts in the directory and of its loop devices, the last one first', () => {
  const mountinfo = `24 1 8:1 / / rw - ext4 /dev/sda1 rw
31 24 7:3 / ${lab}/a\\040b rw - ext4 /dev/sdb rw
32 31 7:3 / ${lab}/a\\040b/c rw - tmpfs tmpfs rw
33 24 7:4 / /mnt rw shared:1 - ext4 /dev/loop4p1 rw
34 24 7:5 / ${lab}2 rw - ext4 /dev/loop41 rw
`;
  expect(mountsOf(mountinfo, lab, ['/dev/loop4'])).toEqual(['/mnt', `${lab}/a b/c`, `${lab}/a b`]);
});
