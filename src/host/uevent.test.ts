import { describe, expect, it } from 'vitest';
import { ueventDeviceName } from './uevent.ts';

const nameIn = (...lines: string[]) => ueventDeviceName(`${lines.join('\n')}\n`, '/sys/x/uevent');

describe('ueventDeviceName', () => {
  it('takes DEVNAME from what the kernel writes', () => {
    expect(nameIn('MAJOR=252', 'MINOR=3', 'DEVNAME=vfio/2')).toBe('vfio/2');
    expect(nameIn('MAJOR=8', 'MINOR=0', 'DEVNAME=sda', 'DEVTYPE=disk', 'DISKSEQ=1')).toBe('sda');
    expect(nameIn('DEVNAME=cciss!c0d0', 'OF_COMPATIBLE_0=a,b:c')).toBe('cciss!c0d0');
  });

  it('finds none where there is none', () => {
    expect(nameIn('MAJOR=1', 'devname=sda', 'XDEVNAME=sdb')).toBeUndefined();
    expect(ueventDeviceName('', '')).toBeUndefined();
  });

  it.each([
    ['a colon ends the key too', ['DEVNAME:sda'], 'sda'],
    ['the first delimiter counts', ['DEVNAME=a:b=c'], 'a:b=c'],
    ['blanks around', ['  DEVNAME =  sda \r'], 'sda'],
    ['blank lines and comments', ['', '# x', '; y', 'DEVNAME=sda'], 'sda'],
    ['a comment after the value', ['DEVNAME=sda ; x'], 'sda'],
    ['one pair of quotes', [`DEVNAME="'sda'"`], `'sda'`],
    ['no pair of quotes', ['DEVNAME="'], '"'],
    ['the later of two', ['DEVNAME=sda', 'DEVNAME=sdb'], 'sdb'],
    ['another section does not count', ['DEVNAME=sda', '[other]', 'DEVNAME=sdb'], 'sda'],
  ])('2.7: %s', (_, lines, name) => {
    expect(nameIn(...lines)).toBe(name);
  });

  it.each(['nonkeyvaluedata', '=value', ': value'])('2.7: the line %j is an error', (line) => {
    for (const lines of [[line], ['DEVNAME=sda', line], ['[x]', line]])
      expect(() => nameIn(...lines)).toThrow(
        expect.objectContaining({
          code: 'source-unsuitable',
          message: expect.stringContaining('/sys/x/uevent'),
        }),
      );
  });
});
