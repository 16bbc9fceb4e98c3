import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
import type { OperationRecord } from '../api/operation.ts';
import { unitsOf, type Plan, type PlannedUnit } from '../api/plan.ts';
import { planDevice } from '../devices/kinds.ts';
import { vmmPatienceMs, type OperationContext } from './context.ts';
import { updateAttachment } from './journal.ts';

/**
 * A group moves whole or not at all: plugs the functions that the guest let go of in again,
 * because it keeps another one. They get names of their own, since a name is used once in a
 * VM's life; attachment and journal have them before the commands go out.
 * @returns the attachment as it is then
 * @throws VmplugError `outcome-unknown` when they could not be plugged in again
 */
export async function putBack(
  { hypervisor, store }: OperationContext,
  attachment: AttachmentRecord,
  operation: OperationRecord,
  released: readonly string[],
): Promise<AttachmentRecord> {
  if (released.length === 0) return attachment;
  const { plan, again } = replanned(
    attachment,
    released,
    planDevice({
      ...attachment,
      generation: attachment.generation + 1,
      places: placesOf(attachment),
      facts: hypervisor.facts,
    }),
  );
  const generation = attachment.generation + 1;
  const next: AttachmentRecord = { ...attachment, generation, plan, evidence: 'acknowledged' };
  const isKnown = store.write((tx) => {
    if (!updateAttachment(tx, next)) return false;
    tx.putOperation({ ...operation, plan });
    return true;
  });
  if (!isKnown) return attachment;
  const replies = await Promise.allSettled(hypervisor.submit(again, { timeoutMs: vmmPatienceMs }));
  const failed = replies.find((reply) => reply.status === 'rejected');
  if (failed === undefined) return next;
  throw new VmplugError('outcome-unknown', {
    action: 'plug back in',
    subject: attachment.source,
    reason: 'the guest kept a part of the group, and the VMM refused to take the other part back',
    hint: 'run `vmplug doctor --repair`, or detach it again',
    cause: failed.reason,
    facts: { device: attachment.id },
  });
}

/** The plan with the released functions taken from `fresh`, which has new names for all of them. */
function replanned(
  attachment: AttachmentRecord,
  released: readonly string[],
  fresh: Plan,
): { plan: Plan; again: Plan['steps'][number]['run'][] } {
  const isReleased = new Set(released);
  const present = unitsOf(attachment);
  const renewed = unitsOf({ plan: fresh, place: attachment.place });
  const units = present.map((unit, index) => (isReleased.has(unit.vmmId) ? (renewed[index] ?? unit) : unit));
  const steps = attachment.plan.steps.map((step, index) =>
    units[index] === present[index] ? step : (fresh.steps[index] ?? step),
  );
  const [first, ...further] = units;
  return {
    plan: { ...attachment.plan, vmmId: first?.vmmId ?? attachment.plan.vmmId, steps, further },
    again: steps.filter((step, index) => step !== attachment.plan.steps[index]).map(({ run }) => run),
  };
}

function placesOf(attachment: AttachmentRecord): [PlannedUnit['place'], ...PlannedUnit['place'][]] {
  return [attachment.place, ...(attachment.plan.further ?? []).map(({ place }) => place)];
}
