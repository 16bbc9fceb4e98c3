import { describe, expect, test } from 'vitest';
import { loadOrder, moduleDepends, moduleName } from './modules.ts';

const modinfo = (depends: string): Buffer =>
  Buffer.from(
    `\x7fELF text about depends=nothing \0license=GPL\0depends=${depends}\0retpoline=Y\0\x01\x02`,
    'latin1',
  );

function order(wanted: string[], depends: Record<string, string[]>): string[] {
  const find = (name: string) =>
    depends[name] === undefined ? undefined : { name, file: `${name}.ko`, depends: depends[name] };
  return loadOrder(wanted, find).map(({ name }) => name);
}

describe('moduleName', () => {
  test.each([
    ['kernel/drivers/char/hw_random/virtio-rng.ko', 'virtio_rng'],
    ['virtio_blk.ko.xz', 'virtio_blk'],
    ['a/sd_mod.ko.zst', 'sd_mod'],
  ])('%s', (file, name) => expect(moduleName(file)).toBe(name));
});

describe('moduleDepends', () => {
  test('finds the names in .modinfo, and not the same word elsewhere', () => {
    expect(moduleDepends(modinfo('virtio,virtio-ring'))).toEqual(['virtio', 'virtio_ring']);
  });
  test('none', () => {
    expect(moduleDepends(modinfo(''))).toEqual([]);
    expect(moduleDepends(Buffer.from('no modinfo at all'))).toEqual([]);
  });
});

describe('loadOrder', () => {
  test('each after what it needs, once', () => {
    const modules = {
      net: ['failover', 'virtio'],
      virtio: ['ring'],
      ring: [],
      failover: [],
      pci: ['virtio', 'ring'],
    };
    expect(order(['pci', 'net'], modules)).toEqual(['ring', 'virtio', 'pci', 'failover', 'net']);
  });
  test('what is built in or unknown is left out', () => {
    expect(order(['builtin', 'blk'], { blk: ['alsobuiltin'] })).toEqual(['blk']);
  });
  test('a circle ends', () => {
    expect(order(['a'], { a: ['b'], b: ['a'] })).toEqual(['b', 'a']);
  });
});
