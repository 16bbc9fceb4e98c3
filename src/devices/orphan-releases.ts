import type { Command } from '../api/plan.ts';

/**
 * What takes back whatever a plan could have left in QEMU under the name of a device that is in no
 * record: of which kind it was nobody knows any more, and what is not there is released already.
 * A network back end goes first, because it uses its character device.
 */
export function orphanReleases(vmmId: string): Command[] {
  return [
    { execute: 'netdev_del', arguments: { id: `${vmmId}-n` } },
    { execute: 'chardev-remove', arguments: { id: vmmId } },
    { execute: 'object-del', arguments: { id: vmmId } },
    { execute: 'blockdev-del', arguments: { 'node-name': vmmId } },
  ];
}
