import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PciPath, PciSlot } from './pci-path.ts';

const invalid: unknown = expect.objectContaining({ code: 'invalid-argument' });

describe('7.5 PCI path: slots', () => {
  test.each([
    ['0', 0, '00'],
    ['00', 0, '00'],
    ['2', 2, '02'],
    ['1f', 31, '1f'],
    ['1F', 31, '1f'],
    ['0a', 10, '0a'],
  ])('%s', (text, value, printed) => {
    const slot = PciSlot.parse(text);
    expect(slot.value).toBe(value);
    expect(String(slot)).toBe(printed);
  });

  test.each(['', '20', 'xy', '00/', 'ff', 'g', '0x1', '-1', ' 1', '1 ', '1\n', '0/1', 'f'.repeat(10_000)])(
    '%j is none',
    (text) => {
      expect(() => PciSlot.parse(text)).toThrow(invalid);
    },
  );

  test.each([0, 31])('%d is one', (value) => expect(new PciSlot(value).value).toBe(value));

  test.each([-1, 32, 1.5, Number.NaN])('nor is %d', (value) =>
    expect(() => new PciSlot(value)).toThrow(invalid),
  );
});

describe('7.5 PCI path: paths', () => {
  test.each(['02', '03', '03/04', '03/04/05', '02/01', '00/1f/0a', ''])(
    '%j is read and written back',
    (text) => {
      expect(String(PciPath.parse(text))).toBe(text);
    },
  );

  test.each(['20', '//', 'xyz', '/', '02/', '/02', '02//01', '20/01', '02/x', '02,01'])(
    '%j is none',
    (text) => {
      expect(() => PciPath.parse(text)).toThrow(invalid);
    },
  );

  test('the path without slots is the nil path; one is made of slots', () => {
    expect(PciPath.parse('').isNil()).toBe(true);
    expect(PciPath.parse('02').isNil()).toBe(false);
    expect(() => PciPath.of()).toThrow(invalid);
    expect(String(PciPath.of(new PciSlot(1), new PciSlot(31)))).toBe('01/1f');
  });

  test('W94: it is stored as text and comes back the same', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(31), { minLength: 1 }), (values) => {
        const path = PciPath.of(...values.map((value) => new PciSlot(value)));
        const stored: unknown = JSON.parse(JSON.stringify({ path }));
        expect(stored).toEqual({ path: String(path) });
        expect(PciPath.parse(String(path)).slots.map(({ value }) => value)).toEqual(values);
      }),
    );
  });

  test('nobody can change one', () => {
    const slots = [new PciSlot(1)];
    const path = PciPath.of(...slots);
    slots.push(new PciSlot(2));
    expect(path.slots).toHaveLength(1);
    expect(Object.isFrozen(path.slots)).toBe(true);
  });
});
