import { hasCode, VmplugError } from '../api/errors.ts';
import type { Hypervisor } from '../api/hypervisor.ts';
import type { AttachmentRecord } from '../api/attachment.ts';
import {
  releaseCommands,
  unitsOf,
  unplugCommands,
  type AttachStep,
  type Command,
  type Plan,
} from '../api/plan.ts';
import { vmmPatienceMs } from './context.ts';
import { Deadline } from './deadline.ts';
import { unplugUnit } from './unplug.ts';
import { Sleeper } from './wait.ts';

/**
 * Runs the steps of a plan. They leave together: a VMM works in order, and a step fails by
 * itself when the one before it did. When one fails, those that worked are undone, last first.
 * @throws VmplugError what the VMM said, with `facts.undone`; `outcome-unknown` when the
 * connection was lost in between or an undo failed, and the VMM has to be asked
 * @param patienceMs milliseconds for the VMM to answer
 * @param signal gives up the check of a program behind a socket, before anything goes out
 */
export async function runPlan(
  hypervisor: Hypervisor,
  attachment: AttachmentRecord,
  patienceMs = vmmPatienceMs,
  signal?: AbortSignal,
): Promise<void> {
  const { plan } = attachment;
  const isChecked = signal !== undefined && plan.steps.some(({ run }) => run.peer !== undefined);
  const replies = await Promise.allSettled(
    hypervisor.submit(
      plan.steps.map((step) => step.run),
      { timeoutMs: patienceMs, ...(isChecked ? { signal } : {}) },
    ),
  );
  const failed = replies.find((reply) => reply.status === 'rejected');
  if (failed === undefined) return;
  const unclear = replies.find((reply) => reply.status === 'rejected' && !isClear(reply.reason));
  if (unclear?.status === 'rejected') throw unknownOutcome(plan, unclear.reason);
  await undo(
    hypervisor,
    plan.steps.filter((_, index) => replies[index]?.status === 'fulfilled'),
    attachment,
  );
  throw failed.reason;
}

/** What is found before a command with a `peer` goes out. */
const foundBefore = ['not-vhost-user', 'backend-silent', 'socket-not-served'] as const;

/** Whether a failed command has surely had no effect. */
function isClear(error: unknown): boolean {
  return (
    hasCode(error, 'vmm-refused', ...foundBefore) ||
    (error instanceof VmplugError && error.facts['sent'] === false)
  );
}

async function undo(
  hypervisor: Hypervisor,
  done: readonly AttachStep[],
  attachment: AttachmentRecord,
): Promise<void> {
  for (const step of done.toReversed()) {
    try {
      if (step.undoIsRequest === true) await takeOut(hypervisor, step.undo, attachment);
      else await release(hypervisor, [step.undo]);
    } catch (error) {
      throw unknownOutcome(attachment.plan, error);
    }
  }
}

/** Milliseconds for a guest to let go of a part of a group whose other part was refused. */
const takeOutMs = 10_000;

/** Asks the guest to let go of one function of a group, and waits until it has. */
async function takeOut(
  hypervisor: Hypervisor,
  command: Command,
  attachment: AttachmentRecord,
): Promise<void> {
  const unit = unitsOf(attachment)[unplugCommands(attachment.plan).indexOf(command)];
  if (unit === undefined) return;
  const { outcome } = await unplugUnit(hypervisor, unit, command, new Deadline(takeOutMs));
  if (outcome === 'released') return;
  throw new VmplugError('deadline-passed', {
    action: 'take back out',
    subject: unit.vmmId,
    reason: `another function of its group could not be plugged, and the guest did not let go of this one (${outcome})`,
  });
}

function unknownOutcome(plan: Plan, cause: unknown): VmplugError {
  return new VmplugError('outcome-unknown', {
    action: 'run the plan for',
    subject: plan.vmmId,
    reason: cause instanceof Error ? cause.message : String(cause),
    hint: 'run `vmplug doctor --repair`: it asks the VMM and settles it',
    cause,
  });
}

/** Milliseconds for which a back end may still count as in use after its device is gone. */
const usualDrainMs = 5_000;

/**
 * Sends commands that release back ends, one after the other. What is released already is
 * fine; what the VMM is not quite done with is tried again for `drainMs`.
 * @throws VmplugError `vmm-refused`, `outcome-unknown`, `deadline-passed`
 */
export async function release(
  hypervisor: Hypervisor,
  commands: readonly Command[],
  drainMs = usualDrainMs,
): Promise<void> {
  const deadline = new Deadline(drainMs);
  for (const command of commands) {
    for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 200)) {
      try {
        await Promise.all(hypervisor.submit([command], { timeoutMs: vmmPatienceMs }));
        break;
      } catch (error) {
        if (hypervisor.isAlreadyReleased(error)) break;
        if (!hypervisor.isStillInUse(error) || deadline.passed()) throw error;
      }
      await new Sleeper().sleep(pauseMs);
    }
  }
}

/** Releases everything of a plan but its device, which the VMM no longer has. */
export async function releaseBackends(
  hypervisor: Hypervisor,
  plan: Plan,
  drainMs = usualDrainMs,
): Promise<void> {
  await release(hypervisor, releaseCommands(plan), drainMs);
}
