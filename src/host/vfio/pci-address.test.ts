import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCode } from '../../api/errors.ts';
import { formatPciAddress, parsePciAddress } from './pci-address.ts';

describe('PCI addresses', () => {
  it.each([
    ['02:10.0', '0000:02:10.0'],
    ['0000:02:10.0', '0000:02:10.0'],
    ['0001:FF:1f.7', '0001:ff:1f.7'],
    ['10000:01:00.0', '10000:01:00.0'],
    ['00010000:01:00.0', '10000:01:00.0'],
  ])('reads %s as %s', (text, printed) => {
    expect(formatPciAddress(parsePciAddress(text))).toBe(printed);
  });

  it.each([
    '',
    'zz',
    '2:10.0',
    '02:10',
    '02:10.8',
    '02:10.f',
    '02:20.0',
    '100:00.0',
    '000:02:10.0',
    '100000000:02:10.0',
    '0000:02:10.0\n',
    ' 02:10.0',
    '../02:10.0',
    '0000:02:10.00',
  ])('refuses %j', (text) => {
    expect(() => parsePciAddress(text)).toThrow(
      expect.toSatisfy((error: unknown) => hasCode(error, 'invalid-argument')),
    );
  });

  it('W10: reads back what it prints, the domain too', () => {
    const address = fc.record({
      domain: fc.nat(0xffffffff),
      bus: fc.nat(255),
      slot: fc.nat(31),
      function: fc.nat(7),
    });
    fc.assert(
      fc.property(address, (address) => {
        expect(parsePciAddress(formatPciAddress(address))).toEqual(address);
      }),
    );
  });
});
