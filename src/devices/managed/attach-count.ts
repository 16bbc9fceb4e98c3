/** The most references or attachments that a device can have: v1's counters are 64 bits wide. */
export const mostCounted = 2n ** 64n - 1n;

/** What one attach or detach does to a count. */
export interface Bumped {
  readonly count: bigint;
  /** The count is all there is to do: nothing is asked of the receiver. */
  readonly skip: boolean;
  readonly error?: 'too-many-attachments' | 'device-not-attached';
}

/**
 * v1's `bump` (`virtcontainers/device/drivers/generic.go`): the steps from 0 to 1 and from 1 to 0
 * are real work, all others only count. Beyond the limits the count stays as it is.
 */
export function bump(count: bigint, attach: boolean): Bumped {
  if (attach) {
    if (count >= mostCounted) return { count, skip: true, error: 'too-many-attachments' };
    return { count: count + 1n, skip: count > 0n };
  }
  if (count <= 0n) return { count, skip: true, error: 'device-not-attached' };
  return { count: count - 1n, skip: count > 1n };
}

/** A count as it is saved: a bigint only where a number would not be exact. */
export function savedCount(count: bigint): number | bigint {
  return count <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(count) : count;
}
