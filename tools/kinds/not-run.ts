/** A kind that no machine without special hardware can show. */
export interface NotRun {
  readonly kind: string;
  /** What is missing. */
  readonly reason: string;
}

/** Kinds that vmplug plugs and no test can: the table says so. */
export const notRun: readonly NotRun[] = [
  { kind: 'vfio-ap', reason: 'needs crypto adapters of an s390x host' },
];
