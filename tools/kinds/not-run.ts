/** A kind that no machine without special hardware can show. */
export interface NotRun {
  readonly kind: string;
  /** What is missing. */
  readonly reason: string;
}

/** Kinds that vmplug plugs and no test can: the table says so. */
export const notRun: readonly NotRun[] = [
  {
    kind: 'vfio-pci of a mediated device',
    reason: 'needs a parent device that makes them; Debian builds none of the sample drivers',
  },
  { kind: 'vfio-ap', reason: 'needs crypto adapters of an s390x host' },
];
