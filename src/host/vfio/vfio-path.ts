/**
 * v1's `isVFIO` (contract 4.3): whether a path is that of a VFIO group's node, `/dev/vfio/<group>`.
 * `/dev/vfio/vfio` and whatever begins like it is not: that is the container's node.
 */
export function isVFIO(path: string): boolean {
  const prefix = '/dev/vfio/';
  return path.startsWith(prefix) && path.length > prefix.length && !path.startsWith(`${prefix}vfio`);
}

/** The number of the IOMMU group of `/dev/vfio/<group>` or `/dev/vfio/noiommu-<group>`; undefined when it is none. */
export function vfioGroupNumber(path: string): string | undefined {
  return /^\/dev\/vfio\/(?:noiommu-)?(\d+)$/.exec(path)?.[1];
}
