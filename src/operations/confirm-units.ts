import type { AttachmentRecord } from '../api/attachment.ts';
import { weaker, type Evidence } from '../api/evidence.ts';
import type { Hypervisor } from '../api/hypervisor.ts';
import { unitsOf } from '../api/plan.ts';
import { confirm, type Confirmation } from './confirm.ts';
import type { Deadline } from './deadline.ts';

/**
 * {@link confirm} for all that an attachment has in the VM: a group is as far as the function of it
 * that is behind the others. The guest address is that of the first one.
 * @throws VmplugError as {@link confirm}
 */
export async function confirmUnits(
  hypervisor: Hypervisor,
  attachment: AttachmentRecord,
  want: Evidence,
  deadline: Deadline,
): Promise<Confirmation> {
  const [first, ...others] = await Promise.all(
    unitsOf(attachment).map(({ vmmId, place }) => confirm(hypervisor, vmmId, place, want, deadline)),
  );
  if (first === undefined) throw new TypeError('an attachment has at least one device');
  return others.reduce(
    (all, one) => ({
      ...all,
      evidence: weaker(all.evidence ?? 'acknowledged', one.evidence ?? 'acknowledged'),
      best: weaker(all.best, one.best),
      reached: all.reached && one.reached,
      afterMs: Math.max(all.afterMs, one.afterMs),
    }),
    first,
  );
}
