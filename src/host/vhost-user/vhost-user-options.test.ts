import { describe, expect, it } from 'vitest';
import { checkedVhostUserOptions, type VhostUserOptions } from './vhost-user-options.ts';

const kinds = ['vhost-user-blk', 'vhost-user-scsi', 'vhost-user-net', 'vhost-user-fs'] as const;
const invalid = expect.objectContaining({ code: 'invalid-argument' });

describe('a MAC address', () => {
  const macOf = (mac: string) => checkedVhostUserOptions('vhost-user-net', { mac }).mac;

  it('is that of one device, in lower case', () => {
    expect(macOf('52:54:00:12:34:5F')).toBe('52:54:00:12:34:5f');
    expect(macOf('00:00:00:00:00:01')).toBe('00:00:00:00:00:01');
    expect(checkedVhostUserOptions('vhost-user-net', {})).toEqual({});
  });

  it.each([
    '',
    '52:54:00:12:34',
    '52:54:00:12:34:56:78',
    '52-54-00-12-34-56',
    '525400123456',
    '52:54:00:12:34:5g',
    ' 52:54:00:12:34:56',
    '52:54:00:12:34:56\n',
    '01:00:5e:00:00:01',
    '5B:54:00:12:34:56',
    'ff:ff:ff:ff:ff:ff',
    '00:00:00:00:00:00',
  ])('is not %j', (mac) => {
    expect(() => macOf(mac)).toThrow(invalid);
  });
});

describe('a tag', () => {
  const tagOf = (tag?: string) => checkedVhostUserOptions('vhost-user-fs', { tag }).tag;

  it('has 1 to 36 bytes of UTF-8', () => {
    for (const tag of ['a', 'my data', 'x'.repeat(36), 'é'.repeat(18)]) expect(tagOf(tag)).toBe(tag);
  });

  it.each([undefined, '', 'x'.repeat(37), 'é'.repeat(19), 'a\0b', '\ud800'])('is not %j', (tag) => {
    expect(() => tagOf(tag)).toThrow(invalid);
  });
});

describe('a DAX window', () => {
  it.each([-1, 0.5, 2 ** 32, Number.NaN])('is not of %d MiB', (cacheSize) => {
    expect(() => checkedVhostUserOptions('vhost-user-fs', { tag: 'a', cacheSize })).toThrow(invalid);
  });

  it('may be left out, as 0', () => {
    const options = { tag: 'a', cacheSize: 0 };
    expect(checkedVhostUserOptions('vhost-user-fs', options)).toEqual(options);
  });
});

it.each<[string, VhostUserOptions, (typeof kinds)[number]]>([
  ['mac', { mac: '52:54:00:12:34:56' }, 'vhost-user-net'],
  ['tag', { tag: 'a' }, 'vhost-user-fs'],
  ['cacheSize', { cacheSize: 1 }, 'vhost-user-fs'],
])('%s is refused for other kinds', (_, options, kind) => {
  for (const other of kinds.filter((each) => each !== kind))
    expect(() =>
      checkedVhostUserOptions(other, { tag: other === 'vhost-user-fs' ? 'a' : undefined, ...options }),
    ).toThrow(invalid);
});
