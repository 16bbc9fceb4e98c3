import type { AttachmentRecord } from '../api/attachment.ts';
import type { Observation } from '../api/hypervisor.ts';
import { unitsOf } from '../api/plan.ts';
import type { Place } from '../api/place.ts';

type Placed = Pick<AttachmentRecord, 'guest' | 'place'>;

/** Where the guest finds a device, for people: what it goes by, then where it is. */
export function addressText({ guest, place }: Placed): string {
  const { byId, pmem, tag, mac } = guest;
  const name = byId ?? pmem ?? (tag === undefined ? mac : `tag ${tag}`);
  const where = whereText({ guest, place });
  if (name === undefined) return where;
  return where === '' ? name : `${name} (${where})`;
}

/** As {@link addressText}, in the width of a column. */
export function shortAddress({ guest, place }: Placed): string {
  const { pci, scsi, ccw, pmem, tag, mac } = guest;
  // Of disks on one controller the PCI address is the same.
  const onController = scsi === undefined || pci === undefined ? scsi : `${pci} ${scsi}`;
  return tag ?? mac ?? onController ?? pci ?? ccw ?? pmem ?? (placeText(place) || '-');
}

/**
 * Each function of a group with where it is, for people; nothing for what is one device.
 * @param seen what the VMM says of each by now, where it was asked
 */
export function functionLines(
  { host, plan, place, guest }: AttachmentRecord,
  seen: readonly Observation[] = [],
): string[] {
  if (host.kind !== 'vfio' || host.functions.length === 1) return [];
  return unitsOf({ plan, place }).map((unit, index) => {
    const { address = unit.vmmId } = host.functions[index] ?? {};
    const known = index === 0 ? guest : {};
    return `${address} is ${whereText({ guest: { ...known, ...seen[index]?.guest }, place: unit.place })}`;
  });
}

function whereText({ guest: { pci, pciPath, scsi, ccw }, place }: Placed): string {
  const path = pciPath === undefined ? placeText(place) : `PCI path ${pciPath}`;
  const parts = [pci, scsi, ccw].filter((part) => part !== undefined);
  return [...parts, ...(path === '' ? [] : [path])].join(', ');
}

/** What a place alone says of where the guest finds what is there. */
function placeText(place: Place): string {
  switch (place.transport) {
    case 'pci':
      return `PCI path ${place.path.join('/')}`;
    case 'memory':
      return `memory slot ${place.slot}`;
    case 'ap':
      return 'crypto adapters';
    case 'scsi':
    case 'ccw':
    case 'slot':
      return '';
  }
}
