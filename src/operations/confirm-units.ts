import type { AttachmentRecord } from '../api/attachment.ts';
import { weaker, type Evidence } from '../api/evidence.ts';
import type { Hypervisor } from '../api/hypervisor.ts';
import { unitsOf } from '../api/plan.ts';
import { confirm, type Confirmation } from './confirm.ts';
import { Deadline } from './deadline.ts';

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
  const failure = new AbortController();
  const limits = new Deadline(deadline.remaining(), eitherOf(deadline.signal, failure.signal));
  // All are waited for, so that nothing goes on behind the back of whoever hears of a failure.
  const ends = await Promise.allSettled(
    unitsOf(attachment).map(async ({ vmmId, place }) => {
      try {
        return await confirm(hypervisor, vmmId, place, want, limits);
      } catch (error) {
        failure.abort();
        throw error;
      }
    }),
  );
  const broken = ends.find((end) => end.status === 'rejected');
  if (broken !== undefined) throw broken.reason;
  const [first, ...others] = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
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

function eitherOf(given: AbortSignal | undefined, own: AbortSignal): AbortSignal {
  return given === undefined ? own : AbortSignal.any([given, own]);
}
