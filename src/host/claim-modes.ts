import type { ClaimMode, HostIdentity } from '../api/host-device.ts';

/** How a disk needs to be claimed. A reader who says share-rw accepts that others write. */
export function claimMode(options: { readOnly: boolean; shareRw: boolean }): ClaimMode {
  if (options.shareRw) return 'shared-write';
  return options.readOnly ? 'shared-read' : 'exclusive';
}

/** Whether two holders may have the same key: readers together, share-rw users together. */
export function claimsAgree(a: ClaimMode, b: ClaimMode): boolean {
  return a === b && a !== 'exclusive';
}

/**
 * The claims of someone who has all of `key`.
 *
 * With {@link claimsOnPart} it makes this table from the three modes: parts never clash with each
 * other through the whole; the whole and a part clash just as two users of one disk would. One
 * exception, on the safe side: a reader of the whole clashes with a reader of a part.
 */
export function claimsOnWhole(key: string, mode: ClaimMode): HostIdentity[] {
  const claim = { key, mode };
  // Tells share-rw users of the whole from parts that did not agree to share.
  return mode === 'shared-write' ? [claim, { key: `${key}/parts`, mode: 'shared-read' }] : [claim];
}

/** The claims on `key` of someone who has a part of it: a partition, a logical volume. */
export function claimsOnPart(key: string, mode: ClaimMode): HostIdentity[] {
  const claim: HostIdentity = { key, mode: 'shared-write' };
  return mode === 'shared-write' ? [claim] : [claim, { key: `${key}/parts`, mode: 'shared-write' }];
}

/** One claim a key, in the order of first mention; modes that differ become `exclusive`. */
export function mergeClaims(claims: Iterable<HostIdentity>): HostIdentity[] {
  const merged = new Map<string, HostIdentity>();
  for (const { key, mode } of claims) {
    const before = merged.get(key);
    merged.set(key, { key, mode: before === undefined || before.mode === mode ? mode : 'exclusive' });
  }
  return [...merged.values()];
}
