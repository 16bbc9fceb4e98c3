import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { hasPFNSignature } from './pmem-signature.ts';
import { fakeHost } from '../host.testing.ts';

const withSignature = (at: number, text = 'NVDIMM_PFN_INFO') =>
  Buffer.concat([Buffer.alloc(at), Buffer.from(text)]);

describe('hasPFNSignature', () => {
  it('7.1 PFN: no file, an empty file, a file with the signature', async () => {
    using host = fakeHost();
    expect(await hasPFNSignature(`${host.directory}/none`)).toBe(false);
    expect(await hasPFNSignature(host.write('empty', ''))).toBe(false);
    expect(await hasPFNSignature(host.write('pfn', withSignature(4096)))).toBe(true);
  });

  it.each<[string, Buffer]>([
    ['elsewhere', withSignature(4095)],
    ['at the start', withSignature(0)],
    ['cut off', withSignature(4096, 'NVDIMM_PFN_INF')],
    ['another one', withSignature(4096, 'NVDIMM_DAX_INFO')],
  ])('is false for a signature that is %s', async (_, content) => {
    using host = fakeHost();
    expect(await hasPFNSignature(host.write('file', content))).toBe(false);
  });

  it('is false, and soon, for what is no file', async () => {
    using host = fakeHost();
    execFileSync('mkfifo', [`${host.directory}/fifo`]);
    expect(await hasPFNSignature(`${host.directory}/fifo`)).toBe(false);
    expect(await hasPFNSignature(host.directory)).toBe(false);
  });
});
