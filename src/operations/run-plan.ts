import { hasCode, VmplugError } from '../api/errors.ts';
import type { Hypervisor } from '../api/hypervisor.ts';
import { releaseCommands, type AttachStep, type Plan } from '../api/plan.ts';
import type { Command } from '../api/plan.ts';
import { vmmPatienceMs } from './context.ts';
import { Deadline } from './deadline.ts';
import { Sleeper } from './wait.ts';

/**
 * Runs the steps of a plan. They leave together: a VMM works in order, and a step fails by
 * itself when the one before it did. When one fails, those that worked are undone, last first.
 * @throws VmplugError what the VMM said, with `facts.undone`; `outcome-unknown` when the
 * connection was lost in between or an undo failed, and the VMM has to be asked
 */
export async function runPlan(hypervisor: Hypervisor, plan: Plan): Promise<void> {
  const replies = await Promise.allSettled(
    hypervisor.submit(
      plan.steps.map((step) => step.run),
      { timeoutMs: vmmPatienceMs },
    ),
  );
  const failed = replies.find((reply) => reply.status === 'rejected');
  if (failed === undefined) return;
  const unclear = replies.find((reply) => reply.status === 'rejected' && !isClear(reply.reason));
  if (unclear?.status === 'rejected') throw unknownOutcome(plan, unclear.reason);
  await undo(
    hypervisor,
    plan.steps.filter((_, index) => replies[index]?.status === 'fulfilled'),
    plan,
  );
  throw failed.reason;
}

/** Whether a failed command has surely had no effect. */
function isClear(error: unknown): boolean {
  return hasCode(error, 'vmm-refused') || (error instanceof VmplugError && error.facts['sent'] === false);
}

async function undo(hypervisor: Hypervisor, done: readonly AttachStep[], plan: Plan): Promise<void> {
  for (const step of done.toReversed()) {
    try {
      await release(hypervisor, [step.undo]);
    } catch (error) {
      throw unknownOutcome(plan, error);
    }
  }
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
