import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  buildSocketPath,
  checkSandboxName,
  getSCSIAddress,
  getSCSIIdLun,
  getVirtDriveName,
  longestId,
  longestSocketPath,
  makeNameID,
  ownPrefix,
  serialOf,
  vmmDeviceId,
} from './names.ts';

const invalid: unknown = expect.objectContaining({ code: 'invalid-argument' });

describe('7.5 names: makeNameID', () => {
  test.each([
    ['drive', '1', 31, 'drive-1'],
    ['drive', 'a'.repeat(40), 31, `drive-${'a'.repeat(25)}`],
    ['a', 'b', 2, 'a-'],
    ['drive', '', 31, 'drive-'],
    ['testType', 'testID', 14, 'testType-testI'],
  ])('%s, %s, %i', (kind, id, most, expected) => expect(makeNameID(kind, id, most)).toBe(expected));

  test('is never longer than it may be, in bytes, and never cuts a character in two', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary' }),
        fc.nat(40),
        (kind, id, most) => {
          const whole = `${kind}-${id}`.toWellFormed();
          const name = makeNameID(kind.toWellFormed(), id.toWellFormed(), most);
          expect(Buffer.byteLength(name)).toBeLessThanOrEqual(most);
          expect(whole.startsWith(name)).toBe(true);
        },
      ),
    );
    expect(makeNameID('d', 'é'.repeat(20))).toBe(`d-${'é'.repeat(14)}`);
  });
});

describe('7.5 names: v1 names of disks', () => {
  test.each([
    [0, 'vda'],
    [25, 'vdz'],
    [26, 'vdaa'],
    [27, 'vdab'],
    [701, 'vdzz'],
    [702, 'vdaaa'],
    [704, 'vdaac'],
    [730, 'vdabc'],
    [18_277, 'vdzzz'],
  ])('index %i is %s', (index, name) => expect(getVirtDriveName(index)).toBe(name));

  test('every index has a name of its own', () => {
    expect(new Set(Array.from({ length: 20_000 }, (_, index) => getVirtDriveName(index))).size).toBe(20_000);
  });

  test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('%d is none', (index) => {
    expect(() => getVirtDriveName(index)).toThrow(invalid);
    expect(() => getSCSIIdLun(index)).toThrow(invalid);
  });

  test.each([
    [0, [0, 0], '0:0'],
    [1, [0, 1], '0:1'],
    [200, [0, 200], '0:200'],
    [255, [0, 255], '0:255'],
    [256, [1, 0], '1:0'],
    [257, [1, 1], '1:1'],
    [258, [1, 2], '1:2'],
    [512, [2, 0], '2:0'],
    [513, [2, 1], '2:1'],
    [65_535, [255, 255], '255:255'],
  ])('SCSI index %i', (index, pair, text) => {
    expect(getSCSIIdLun(index)).toEqual(pair);
    expect(getSCSIAddress(index)).toBe(text);
  });

  test('there is no SCSI index beyond 65535', () => expect(() => getSCSIAddress(65_536)).toThrow(invalid));
});

describe('7.5 socket path: buildSocketPath', () => {
  test('joins parts, and slashes that meet', () => {
    expect(buildSocketPath('/run/', '/vm', '', 'qmp.sock')).toBe('/run/vm/qmp.sock');
  });

  test('107 bytes are the most; absolute parts are joined, not begun with anew', () => {
    expect(buildSocketPath(`/${'a'.repeat(105)}`)).toHaveLength(106);
    expect(buildSocketPath(`/${'a'.repeat(106)}`)).toHaveLength(107);
    expect(() => buildSocketPath(`/${'a'.repeat(108)}`)).toThrow(invalid);
    expect(() => buildSocketPath('')).toThrow(invalid);
    expect(buildSocketPath('/run', '/vc', '/vm')).toBe('/run/vc/vm');
  });

  test('counts bytes', () => {
    const longest = `/${'é'.repeat(53)}`;
    expect(Buffer.byteLength(longest)).toBe(longestSocketPath);
    expect(buildSocketPath(longest)).toBe(longest);
    expect(() => buildSocketPath(`${longest}a`)).toThrow(invalid);
    expect(() => buildSocketPath()).toThrow(invalid);
    expect(() => buildSocketPath('', '')).toThrow(invalid);
  });

  test('a NUL would cut it off in the kernel', () =>
    expect(() => buildSocketPath('/run/a\0b')).toThrow(invalid));
});

test('hard rule 12: ids in the VMM carry our prefix and the generation; serials have at most 20 characters', () => {
  const id = '0123456789abcdef';
  expect(vmmDeviceId(id, 3)).toBe(`${ownPrefix}${id}-3`);
  expect(vmmDeviceId(id, 9999).length).toBeLessThanOrEqual(longestId);
  expect(serialOf(id).length).toBeLessThanOrEqual(20);
});

test.each(['vm', 'A-1', '0', 'a.b_c', 'x'.repeat(64)])('a sandbox may be called %s', (name) => {
  expect(checkSandboxName(name)).toBe(name);
});

test.each(['', '.', '..', '-rf', '_', 'a/b', '../a', 'a b', 'a\n', 'é', 'a\0', 'x'.repeat(65)])(
  'a sandbox may not be called %j',
  (name) => expect(() => checkSandboxName(name)).toThrow(invalid),
);
