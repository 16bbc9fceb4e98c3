import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockDevice } from '../../devices/managed/block-device.ts';
import { DeviceKeys } from './device-keys.ts';

const devices = Array.from({ length: 3 }, () => new BlockDevice(null));
const [one = expect.fail(), other = expect.fail()] = devices;

test('a key is found again after it was given up', () => {
  const keys = new DeviceKeys();
  keys.add('b:8:0', one);
  expect(keys.get('b:8:0')).toBe(one);
  keys.delete('b:8:0', one);
  expect(keys.get('b:8:0')).toBeUndefined();
  keys.add('b:8:0', other);
  expect(keys.get('b:8:0')).toBe(other);
});

test('the first device of a key has it, and only that one gives it up', () => {
  const keys = new DeviceKeys();
  keys.add('b:8:0', one);
  keys.add('b:8:0', other);
  keys.delete('b:8:0', other);
  expect(keys.get('b:8:0')).toBe(one);
});

test('what comes and goes is found as in a Map, and given-up keys do not pile up', () => {
  const step = fc.record({ add: fc.boolean(), key: fc.nat(999), device: fc.constantFrom(...devices) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 300, maxLength: 2000, size: 'max' }), (steps) => {
      const [keys, model] = [new DeviceKeys(), new Map<string, BlockDevice>()];
      for (const { add, key: number, device } of steps) {
        const key = `b:8:${number}`;
        if (add) {
          keys.add(key, device);
          if (!model.has(key)) model.set(key, device);
        } else {
          keys.delete(key, device);
          if (model.get(key) === device) model.delete(key);
        }
        expect(keys.get(key)).toBe(model.get(key));
        expect(keys.size).toBeLessThanOrEqual(2 * model.size + 64);
      }
    }),
    { numRuns: 20 },
  );
});

test('a thousand keys that came and went leave no more than 64', () => {
  const keys = new DeviceKeys();
  for (let minor = 0; minor < 1000; minor += 1) {
    keys.add(`b:8:${minor}`, one);
    keys.delete(`b:8:${minor}`, one);
  }
  expect(keys.size).toBeLessThanOrEqual(64);
});
