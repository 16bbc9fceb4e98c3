import { VmplugError } from '../../api/errors.ts';
import type { SlotPlace } from '../../api/place.ts';
import type { PlanRequest } from '../device-kind.ts';

/**
 * The drive that a disk is given to, one of those that the VM was started with.
 * @throws VmplugError `no-free-place` for an index that no drive has; `internal-error` for a
 * place that is no drive slot
 */
export function driveSlot({ host, places: [place] }: PlanRequest, first: number, last: number): SlotPlace {
  if (place.transport !== 'slot') {
    throw new VmplugError('internal-error', {
      action: 'plan the disk',
      subject: host.source,
      reason: `its place is not a drive slot but ${place.transport}`,
    });
  }
  if (Number.isInteger(place.slot) && place.slot >= first && place.slot <= last) return place;
  throw new VmplugError('no-free-place', {
    action: 'plan the disk',
    subject: host.source,
    reason: `the VM was started with the drives ${first} to ${last}, it has no drive ${place.slot}`,
    hint: 'detach something',
    facts: { slot: place.slot },
  });
}
