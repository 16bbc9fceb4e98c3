import type { AttachmentRecord } from '../../api/attachment.ts';
import type { Observation } from '../../api/hypervisor.ts';
import type { OperationRecord } from '../../api/operation.ts';
import { unitsOf } from '../../api/plan.ts';
import { runningOperation } from '../../operations/journal.ts';
import { settleSandbox, type Settled } from '../../operations/settle.ts';
import type { Finding } from './finding.ts';
import { asking, type Look } from './look.ts';
import { whyStuck, type Pending } from './pending.ts';

/** Attachments that are between two states, each with why it is stuck. */
export async function unsettled(context: Look, repair: boolean): Promise<Finding[]> {
  const { store, sandbox, hypervisor } = context;
  const open = store.read((tx) =>
    tx.unsettledAttachments(sandbox.name).map((attachment) => ({
      attachment,
      operation: tx.operations({ device: attachment.id }).at(-1),
      running: runningOperation(tx, attachment.id),
    })),
  );
  if (open.length === 0) return [];
  const [status, ...observations] = await Promise.all([
    hypervisor.status(asking(context)),
    ...open.map(({ attachment }) => observeAll(context, attachment)),
  ]);
  const settled = repair ? await settleSandbox(context) : new Map<string, Settled>();
  return open.map(({ attachment, operation, running }, index) => {
    const seen = observations[index] ?? [];
    const there = seen.filter(({ present }) => present);
    const latest = running ?? operation;
    return finding(
      {
        attachment,
        ...(latest === undefined ? {} : { operation: latest }),
        isRunning: running !== undefined,
        status,
        observation: there[0] ?? { present: false, best: 'live', guest: {} },
        isWhole: there.length === seen.length,
        now: Date.now(),
      },
      settled.get(attachment.id),
    );
  });
}

/** Every function of a group, the one function of anything else. */
async function observeAll(context: Look, attachment: AttachmentRecord): Promise<Observation[]> {
  const { hypervisor } = context;
  return Promise.all(
    unitsOf(attachment).map(({ vmmId, place }) => hypervisor.observe(vmmId, place, asking(context))),
  );
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
