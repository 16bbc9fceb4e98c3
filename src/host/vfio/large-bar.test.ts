import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fakeHost, type FakeHost } from '../host.testing.ts';
import { isLargeBarSpace, isVFIOLargeBarSpaceDevice } from './large-bar.ts';

async function isLarge(content: string): Promise<boolean> {
  using host = fakeHost();
  return await isLargeBarSpace(host.write('resource', content));
}

describe('isLargeBarSpace', () => {
  it('7.3 large BAR: a missing file is an error', async () => {
    await expect(isLargeBarSpace('/nowhere/resource')).rejects.toMatchObject({
      code: 'pci-device-not-found',
    });
  });

  it('a file that cannot be read is an error', async () => {
    await expect(isLargeBarSpace('/')).rejects.toMatchObject({ code: 'source-unsuitable' });
  });

  it.each([
    '',
    '   \t\n\t ',
    'abc zyx',
    'abc zyx rgb',
    'abc\t\t\tzyx    \trgb',
    'abc\n',
    'abc\nxyz',
    '0x00000000c6000000 0x00000000c6ffffff 0x0000000000040200',
    '0x0000383bffffffff 0x0000383800000000',
    '0x0000383bffffffff 0x0000383800000000 0x000000000014220c',
  ])('7.3 large BAR: not in %j', async (content) => {
    expect(await isLarge(content)).toBe(false);
  });

  it.each([
    '0x0000383800000000 0x0000383bffffffff',
    '0x0000383800000000 0x0000383bffffffff 0x000000000014220c',
    '  0x0000383800000000\t0x0000383bffffffff\r\n',
  ])('7.3 large BAR: in %j', async (content) => {
    expect(await isLarge(content)).toBe(true);
    expect(await isLarge(`0x0 0x0 0x0\n${content}\n0x0 0x0 0x0\n`)).toBe(true);
  });

  it.each<[string, boolean]>([
    ['0x0000000100000000 0x00000001ffffffff 0x0', false],
    ['0x0000000100000000 0x0000000200000000 0x0', true],
    ['0x0000000200000000 0x000000032fffffff 0x0', true],
    ['4294967296 8589934592 0', true],
  ])('W14: more than 4 GiB is large, 4 GiB is not: %s', async (content, large) => {
    expect(await isLarge(content)).toBe(large);
  });

  it('W14: the full 64-bit range does not overflow', async () => {
    expect(await isLarge('0x0000000000000000 0xffffffffffffffff 0x0')).toBe(true);
  });

  it.each([
    'abc 0x0000383bffffffff 0x0',
    '0x0 1ffffffffffffffff',
    '0x0 0x1ffffffffffffffff',
    '-1 0x3bffffffff',
  ])('W14: what is no number does not count as one: %s', async (content) => {
    expect(await isLarge(content)).toBe(false);
  });
});

describe('isVFIOLargeBarSpaceDevice', () => {
  const small = '0x00000000c6000000 0x00000000c6ffffff 0x0000000000040200\n';
  const large = '0x0000383800000000 0x0000383bffffffff 0x000000000014220c\n';

  function group(members: Record<string, { resource?: string; class?: string }>): FakeHost {
    const host = fakeHost();
    for (const [name, files] of Object.entries(members))
      for (const [file, content] of Object.entries({ ...files, driver_override: '' }))
        host.write(`groups/2/devices/${name}/${file}`, content);
    return host;
  }
  const asked = (host: FakeHost, path = '/dev/vfio/2') =>
    isVFIOLargeBarSpaceDevice(path, { SysIOMMUPath: join(host.directory, 'groups') });

  it('4.3: is false for what is not VFIO, without looking', async () => {
    using host = group({ '0000:00:1c.0': { resource: large } });
    for (const path of ['/dev/vfio/vfio', '/dev/vfio/', '/dev/sda', ''])
      expect(await asked(host, path)).toBe(false);
  });

  it('4.3: is an error for a group that is not there', async () => {
    using host = group({});
    await expect(asked(host)).rejects.toMatchObject({ code: 'pci-device-not-found' });
    for (const path of ['/dev/vfio/..', '/dev/vfio/../../2', '/dev/vfio/x'])
      await expect(asked(host, path), path).rejects.toMatchObject({ code: 'source-unsuitable' });
  });

  it('W14: every function of the group is looked at', async () => {
    using host = group({ '0000:00:1c.0': { resource: small }, '10000:00:1c.1': { resource: large } });
    expect(await asked(host)).toBe(true);
    expect(await asked(host, '/dev/vfio/noiommu-2')).toBe(true);
    using without = group({ '0000:00:1c.0': { resource: small }, '0000:00:1c.1': { resource: small } });
    expect(await asked(without)).toBe(false);
  });

  it('4.3: mediated devices and unknown names are passed over', async () => {
    using host = group({
      'f79944e4-5a3d-11e8-99ce-479cbab002e4': { resource: large },
      unknown: { resource: large },
    });
    expect(await asked(host)).toBe(false);
  });

  it('a bridge is passed over: its windows are not given to a guest', async () => {
    using host = group({ '0000:00:1c.0': { resource: large, class: '0x060400\n' } });
    expect(await asked(host)).toBe(false);
  });

  it('a function without a resource file is an error', async () => {
    using host = group({ '0000:00:1c.0': {} });
    await expect(asked(host)).rejects.toMatchObject({
      code: 'pci-device-not-found',
      subject: expect.stringContaining('0000:00:1c.0/resource'),
    });
  });
});
