import { VmplugError } from './errors.ts';

/** The kinds of host device that a source names by a scheme; everything else is a path. */
export const sourceSchemes = [
  'pmem',
  'vfio',
  'mdev',
  'vfio-ap',
  'vhost-user-blk',
  'vhost-user-scsi',
  'vhost-user-net',
  'vhost-user-fs',
] as const;
export type SourceScheme = (typeof sourceSchemes)[number];

/** A source, read: what kind of thing it names, and the name. */
export interface ParsedSource {
  readonly scheme: 'path' | SourceScheme;
  /** What follows the colon; the whole source where there is no scheme. */
  readonly rest: string;
}

/** Schemes that other tools have, kept for devices that cannot be attached. */
const reservedSchemes = ['fs', 'cdi'];

/**
 * Reads a source: `PATH`, `pmem:FILE`, `vfio:BDF`, `vfio:/dev/vfio/N`, `mdev:UUID`,
 * `vfio-ap:UUID` and `vhost-user-KIND:SOCKET`. The node of an IOMMU group means the group, with or
 * without a scheme. Only the scheme is looked at.
 * @throws VmplugError `unsupported` for a scheme of devices that cannot be attached
 */
export function parseSource(source: string): ParsedSource {
  const colon = source.indexOf(':');
  const before = colon === -1 ? '' : source.slice(0, colon);
  const scheme = sourceSchemes.find((name) => name === before);
  if (scheme !== undefined) return { scheme, rest: source.slice(colon + 1) };
  if (reservedSchemes.includes(before)) {
    throw new VmplugError('unsupported', {
      action: 'use as a host device',
      subject: source,
      reason: `there are no devices of the kind ${before}`,
      hint: `for a file of that name, write ./${source}`,
    });
  }
  return { scheme: source.startsWith('/dev/vfio/') ? 'vfio' : 'path', rest: source };
}
