/**
 * Why we believe the guest has a device, weakest first: the VMM said yes, the guest
 * assigned the BARs, the guest's driver is running.
 */
export const evidenceLevels = ['acknowledged', 'enumerated', 'live'] as const;
export type Evidence = (typeof evidenceLevels)[number];

/** The weaker of two levels. */
export function weaker(a: Evidence, b: Evidence): Evidence {
  return evidenceLevels.indexOf(a) < evidenceLevels.indexOf(b) ? a : b;
}

/** Whether `have` is at least as strong as `want`. */
export function reaches(have: Evidence | undefined, want: Evidence): boolean {
  return have !== undefined && evidenceLevels.indexOf(have) >= evidenceLevels.indexOf(want);
}
