import { expect, test } from 'vitest';
import { parseSource } from './source.ts';

test.each([
  ['./disk.qcow2', 'path', './disk.qcow2'],
  ['/dev/sdb', 'path', '/dev/sdb'],
  ['', 'path', ''],
  // A colon alone is no scheme, and neither is a name that only begins like one.
  ['C:/disk.img', 'path', 'C:/disk.img'],
  ['./vfio:disk', 'path', './vfio:disk'],
  ['vfio', 'path', 'vfio'],
  ['VFIO:0000:3b:00.0', 'path', 'VFIO:0000:3b:00.0'],
  ['pmem:', 'pmem', ''],
  ['pmem:./a:b', 'pmem', './a:b'],
  ['vfio:0000:3b:00.0', 'vfio', '0000:3b:00.0'],
  ['vfio:/dev/vfio/12', 'vfio', '/dev/vfio/12'],
  ['/dev/vfio/12', 'vfio', '/dev/vfio/12'],
  ['/dev/vfio/vfio', 'vfio', '/dev/vfio/vfio'],
  ['mdev:83b8f4f2-509f-382f-3c1e-e6bfe0fa1001', 'mdev', '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001'],
  ['vfio-ap:669d9b23-fe1b-4ecb-be08-a2fabca99b71', 'vfio-ap', '669d9b23-fe1b-4ecb-be08-a2fabca99b71'],
  ['vhost-user-blk:/run/a', 'vhost-user-blk', '/run/a'],
  ['vhost-user-scsi:a', 'vhost-user-scsi', 'a'],
  ['vhost-user-net:../a', 'vhost-user-net', '../a'],
  ['vhost-user-fs:/run/a', 'vhost-user-fs', '/run/a'],
])('%j is of the scheme %s', (source, scheme, rest) => {
  expect(parseSource(source)).toEqual({ scheme, rest });
});

test.each(['fs:/srv/data', 'cdi:vendor.com/gpu=0'])(
  '%j is refused, with the way to a file of that name',
  (source) => {
    expect(() => parseSource(source)).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        subject: source,
        hint: expect.stringContaining(`./${source}`),
      }),
    );
  },
);
