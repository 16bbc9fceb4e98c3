import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockIndexes, mostBlockIndexes } from './block-indexes.ts';

test('the lowest free index is given out, and a freed one again', () => {
  const indexes = new BlockIndexes();
  expect([indexes.take(), indexes.take(), indexes.take()]).toEqual([0, 1, 2]);
  indexes.free(1);
  expect([...indexes]).toEqual([0, 2]);
  expect([indexes.take(), indexes.take()]).toEqual([1, 3]);
});

test('freeing what is not taken, and -1, is accepted', () => {
  const indexes = new BlockIndexes([4]);
  for (const index of [-1, 3, 65_535, 0.5]) indexes.free(index);
  expect([...indexes]).toEqual([4]);
});

test('too many devices: indexes 0 to 65534, then a typed error, and a freed one is found again', () => {
  const indexes = new BlockIndexes();
  for (let index = 0; index < mostBlockIndexes; index += 1) expect(indexes.take()).toBe(index);
  expect(() => indexes.take()).toThrow(expect.objectContaining({ code: 'too-many-devices' }));
  indexes.free(40_000);
  expect(indexes.take()).toBe(40_000);
  expect(() => indexes.take()).toThrow(expect.objectContaining({ code: 'too-many-devices' }));
});

test('W20: a pool of 8 drives has 8 indexes', () => {
  const indexes = new BlockIndexes([], 8);
  for (let index = 0; index < 8; index += 1) indexes.take();
  expect(() => indexes.take()).toThrow(expect.objectContaining({ code: 'too-many-devices' }));
});

test('an index out of range in a saved state is refused', () => {
  expect(() => new BlockIndexes([65_535])).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
});

test('any history of taking and freeing is that of a plain set', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(99), { maxLength: 100 }),
      fc.array(fc.oneof(fc.constant('take'), fc.nat(99))),
      (taken, history) => {
        const indexes = new BlockIndexes(taken, 100);
        const model = new Set(taken);
        for (const step of history) {
          if (step === 'take') {
            const free = Array.from({ length: 100 }, (_, index) => index).find((index) => !model.has(index));
            if (free === undefined) expect(() => indexes.take()).toThrow();
            else expect(indexes.take()).toBe(free);
            if (free !== undefined) model.add(free);
          } else {
            indexes.free(step);
            model.delete(step);
          }
          expect([...indexes]).toEqual([...model].toSorted((a, b) => a - b));
        }
      },
    ),
  );
});
