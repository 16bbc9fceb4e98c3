import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VmplugError } from '../../api/errors.ts';
import { parseQcow2Header } from './qcow2-header.ts';
import { qcow2Image, type Qcow2Parts } from '../host.testing.ts';

const parse = (parts: Qcow2Parts) => parseQcow2Header('i.qcow2', qcow2Image(parts));

describe('parseQcow2Header', () => {
  it.each([2, 3] as const)('reads version %i with its backing file', (version) => {
    expect(parse({ version, backing: 'é base.raw', backingFormat: 'raw' })).toEqual({
      version,
      virtualSize: 1048576,
      backingFile: 'é base.raw',
      backingFormat: 'raw',
      dirty: false,
    });
  });

  it('finds no backing format in the backing name', () => {
    expect(parse({ backing: 'x' })).toMatchObject({ backingFile: 'x', backingFormat: undefined });
  });

  it('knows dirty, compression type and extended L2 entries', () => {
    expect(parse({ incompatible: 0b11001n }).dirty).toBe(true);
  });

  it.each<[string, Qcow2Parts, RegExp]>([
    ['corrupt', { incompatible: 2n }, /corrupt/],
    ['external data', { incompatible: 4n }, /external/],
    ['unknown features', { incompatible: 1n << 63n }, /does not know/],
    ['AES', { encryption: 1 }, /encrypted/],
    ['LUKS', { encryption: 2, version: 2 }, /encrypted/],
    ['version 1', { version: 1 }, /version 1/],
    ['version 4', { version: 4 }, /version 4/],
    ['small clusters', { clusterBits: 8 }, /2\^8/],
    ['large clusters', { clusterBits: 22 }, /2\^22/],
    ['an odd header length', { headerLength: 108 }, /108/],
    ['a huge size', { virtualSize: 2n ** 63n }, /claims to hold/],
  ])('refuses %s', (_, parts, message) => {
    expect(() => parse(parts)).toThrow(message);
  });

  it('refuses a header that is cut off, wherever', () => {
    const image = qcow2Image({ backing: 'base.raw', backingFormat: 'raw' });
    const end = Number(image.readBigUInt64BE(8)) + 8;
    for (let length = 0; length < end; length++)
      expect(() => parseQcow2Header('i', image.subarray(0, length))).toThrow(VmplugError);
    expect(parseQcow2Header('i', image.subarray(0, end)).backingFile).toBe('base.raw');
  });

  it('throws nothing but its own error on hostile bytes, and takes nothing from beyond the image', () => {
    const bytes = fc.tuple(
      fc.constantFrom<Qcow2Parts>({}, { version: 2 }, { backing: 'b', backingFormat: 'raw' }),
      fc.array(fc.tuple(fc.nat(200), fc.oneof(fc.constantFrom(0, 1, 127, 255), fc.nat(255))), {
        maxLength: 12,
      }),
      fc.nat(1024),
      fc.boolean(),
    );
    fc.assert(
      fc.property(bytes, ([parts, changes, length, cut]) => {
        // In the middle of a larger buffer: what is around it must not show.
        const around = Buffer.alloc(4096, 0x7a);
        const image = qcow2Image(parts);
        for (const [at, byte] of changes) if (at >= 8 || cut) image[at] = byte;
        const size = cut ? length : image.length;
        image.copy(around, 1000, 0, size);
        try {
          const header = parseQcow2Header('i', around.subarray(1000, 1000 + size));
          expect(header.backingFile ?? '').not.toContain('z');
          expect(header.backingFormat ?? '').not.toContain('z');
        } catch (error) {
          if (!(error instanceof VmplugError)) throw error;
          expect(error.code).toBe('source-unsuitable');
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('throws nothing but its own error on random bytes after the magic', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const image = Buffer.concat([Buffer.from('QFI\xfb\0\0\0\x03', 'latin1'), bytes]);
        try {
          parseQcow2Header('i', image);
        } catch (error) {
          if (!(error instanceof VmplugError)) throw error;
        }
      }),
    );
  });
});
