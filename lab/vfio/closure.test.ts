import { describe, expect, it } from 'vitest';
import { librariesIn } from './closure.ts';

describe('what ldd prints', () => {
  it('names libraries by where the loader looks for them, and the loader', () => {
    const text = `\tlinux-vdso.so.1 (0x00007ffc)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f52)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f53)
`;
    expect(librariesIn(text)).toEqual(['/lib/x86_64-linux-gnu/libc.so.6', '/lib64/ld-linux-x86-64.so.2']);
  });

  it('of a static program names none', () => {
    expect(librariesIn('\tstatically linked\n')).toEqual([]);
  });

  it('that a library is missing is an error that names it', () => {
    expect(() => librariesIn('\tlibaio.so.1 => not found\n')).toThrow('libaio.so.1');
  });
});
