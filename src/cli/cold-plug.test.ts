import { expect, test } from 'vitest';
import { readColdPlug } from './cold-plug.ts';

test('a source as it is, a JSON object with the names of attach’s flags', () => {
  const given = {
    ...{ source: 'vhost-user-net:/n', driver: 'virtio-net-pci', mac: '52:54:00:12:34:56', force: true },
    ...{ readOnly: true, shareRw: false, format: 'raw', tag: 't', wait: 'enumerated' },
  };
  const disk = { cache: 'none', aio: 'native', discard: 'unmap' };
  expect(readColdPlug(['./a,b.img', JSON.stringify({ ...given, ...disk })], {})).toEqual([
    { source: './a,b.img' },
    { ...given, disk },
  ]);
  expect(readColdPlug([], {})).toEqual([]);
});

test('a tag and an address go to the one device that takes them', () => {
  expect(
    readColdPlug(['a.img', 'vhost-user-fs:/f', '{"source":"vhost-user-net:/n"}'], { tag: 'data', mac: 'm' }),
  ).toEqual([
    { source: 'a.img' },
    { source: 'vhost-user-fs:/f', tag: 'data' },
    { source: 'vhost-user-net:/n', disk: {}, mac: 'm' },
  ]);
});

test.each([
  ['none takes it', ['a.img'], { tag: 'data' }],
  ['two take it', ['vhost-user-fs:/a', 'vhost-user-fs:/b'], { tag: 'data' }],
  ['it is said twice', ['{"source":"vhost-user-net:/n","mac":"a"}'], { mac: 'b' }],
  ['no JSON', ['{"source":'], {}],
  ['an unknown key', ['{"source":"a","cash":"none"}'], {}],
  ['no source', ['{"driver":"virtio-blk"}'], {}],
  ['an unknown driver', ['{"source":"a","driver":"ide"}'], {}],
  ['a word for a boolean', ['{"source":"a","readOnly":"yes"}'], {}],
])('refused: %s', (_, texts, flags) => {
  expect(() => readColdPlug(texts, flags)).toThrow(
    expect.objectContaining({ code: 'invalid-argument', hint: expect.any(String) }),
  );
});
