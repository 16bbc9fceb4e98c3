import { describe, expect, it } from 'vitest';
import type { ClaimMode, HostIdentity } from '../api/host-device.ts';
import { claimMode, claimsAgree, claimsOnPart, claimsOnWhole, mergeClaims } from './claim-modes.ts';

const modes: readonly ClaimMode[] = ['exclusive', 'shared-write', 'shared-read'];
const clash = (a: HostIdentity[], b: HostIdentity[]): boolean =>
  a.some((one) => b.some((two) => one.key === two.key && !claimsAgree(one.mode, two.mode)));
const pairs = modes.flatMap((a) => modes.map((b) => [a, b] as const));

describe('claims on a disk and its partitions', () => {
  it.each(pairs)('the whole %s and the whole %s', (a, b) => {
    expect(clash(claimsOnWhole('d', a), claimsOnWhole('d', b))).toBe(!claimsAgree(a, b));
  });

  it.each(pairs)('the whole %s and a part %s', (a, b) => {
    const part = [...claimsOnWhole('p', b), ...claimsOnPart('d', b)];
    const bothRead = a === 'shared-read' && b === 'shared-read';
    expect(clash(claimsOnWhole('d', a), part)).toBe(!claimsAgree(a, b) || bothRead);
  });

  it.each(pairs)('a part %s and another part %s never clash', (a, b) => {
    const one = [...claimsOnWhole('p1', a), ...claimsOnPart('d', a)];
    const two = [...claimsOnWhole('p2', b), ...claimsOnPart('d', b)];
    expect(clash(one, two)).toBe(false);
  });
});

describe('claimMode', () => {
  it('lets a reader accept writers', () => {
    expect(claimMode({ readOnly: false, shareRw: false })).toBe('exclusive');
    expect(claimMode({ readOnly: true, shareRw: false })).toBe('shared-read');
    expect(claimMode({ readOnly: true, shareRw: true })).toBe('shared-write');
  });
});

describe('mergeClaims', () => {
  it('makes one claim a key, exclusive where the modes differ', () => {
    const merged = mergeClaims([
      { key: 'a', mode: 'shared-read' },
      { key: 'b', mode: 'shared-read' },
      { key: 'a', mode: 'shared-write' },
      { key: 'b', mode: 'shared-read' },
    ]);
    expect(merged).toEqual([
      { key: 'a', mode: 'exclusive' },
      { key: 'b', mode: 'shared-read' },
    ]);
  });
});
