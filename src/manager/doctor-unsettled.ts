import type { AttachmentRecord } from '../api/attachment.ts';
import type { OperationRecord } from '../api/operation.ts';
import { vmmPatienceMs, type OperationContext } from '../operations/context.ts';
import { runningOperation } from '../operations/journal.ts';
import { settleSandbox, type Settled } from '../operations/settle.ts';
import type { Finding } from './doctor-finding.ts';
import { whyStuck, type Pending } from './doctor-pending.ts';

/** Attachments that are between two states, each with why it is stuck. */
export async function unsettled(context: OperationContext, repair: boolean): Promise<Finding[]> {
  const { store, sandbox, hypervisor } = context;
  const open = store.read((tx) =>
    tx.unsettledAttachments(sandbox.name).map((attachment) => ({
      attachment,
      operation: tx.operations({ device: attachment.id }).at(-1),
      running: runningOperation(tx, attachment.id),
    })),
  );
  if (open.length === 0) return [];
  const limits = { timeoutMs: vmmPatienceMs };
  const [status, ...observations] = await Promise.all([
    hypervisor.status(limits),
    ...open.map(({ attachment: { plan, place } }) => hypervisor.observe(plan.vmmId, place, limits)),
  ]);
  const settled = repair ? await settleSandbox(context) : new Map<string, Settled>();
  return open.map(({ attachment, operation, running }, index) => {
    const observation = observations[index] ?? { present: true, best: 'live', guest: {} };
    const latest = running ?? operation;
    return finding(
      {
        attachment,
        ...(latest === undefined ? {} : { operation: latest }),
        isRunning: running !== undefined,
        status,
        observation,
        now: Date.now(),
      },
      settled.get(attachment.id),
    );
  });
}

function finding(pending: Pending, settled: Settled | undefined): Finding {
  const { attachment, operation, isRunning, observation } = pending;
  const { id, sandbox, state } = attachment;
  const { why, next } = whyStuck(pending);
  return {
    problem: 'unsettled',
    sandbox,
    device: id,
    what: `its state is ${state}`,
    why,
    remedy:
      settled === undefined
        ? isRunning
          ? 'it ends by itself'
          : 'the VM is asked what it has, and the record follows'
        : `asked the VM: ${settled}`,
    plan: next,
    truths: {
      recorded: recorded(attachment, operation),
      vmm: observation.present ? `has it, ${observation.evidence ?? 'acknowledged'}` : 'does not have it',
    },
    ...(isRunning ? { isNote: true } : {}),
    repaired: settled !== undefined && settled !== 'detaching',
  };
}

function recorded({ state }: AttachmentRecord, operation: OperationRecord | undefined): string {
  return operation === undefined ? state : `${state}, ${operation.action} ${operation.state}`;
}
