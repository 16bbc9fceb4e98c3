import type { AttachmentRecord } from '../api/attachment.ts';
import { hasCode } from '../api/errors.ts';
import type { Inventory } from '../api/hypervisor.ts';
import type { OperationState } from '../api/operation.ts';
import { waitForEnd } from '../host/process-identity.ts';
import type { Transaction } from '../store/store.ts';
import { vmmPatienceMs, type OperationContext } from './context.ts';
import { closeOperation, runningOperation } from './journal.ts';
import { releaseBackends } from './run-plan.ts';

/**
 * What became of an attachment whose outcome was not known: the VMM has it, has let go of it
 * (and everything is released), was asked to let go and has not yet, or has ended itself.
 */
export type Settled = 'attached' | 'released' | 'detaching' | 'gone';

/**
 * Settles every attachment of the sandbox that no living operation works on and whose state
 * is not certain, by asking the VMM what it has. Nothing is repeated blindly.
 * @throws VmplugError what the VMM throws; what is settled by then stays settled
 */
export async function settleSandbox(context: OperationContext): Promise<Map<string, Settled>> {
  const open = context.store.read((tx) =>
    tx
      .attachments(context.sandbox.name)
      .filter(({ state }) => state !== 'attached')
      .filter(({ id }) => runningOperation(tx, id) === undefined),
  );
  const settled = new Map<string, Settled>();
  if (open.length === 0) return settled;
  const inventory = await context.hypervisor.inventory({ timeoutMs: vmmPatienceMs });
  for (const attachment of open) settled.set(attachment.id, await settle(context, attachment, inventory));
  return settled;
}

/** Settles one attachment. */
export async function settleAttachment(context: OperationContext, id: string): Promise<Settled> {
  const attachment = context.store.read((tx) => tx.attachment(id));
  if (attachment === undefined) return 'released';
  try {
    const inventory = await context.hypervisor.inventory({ timeoutMs: vmmPatienceMs });
    return await settle(context, attachment, inventory);
  } catch (error) {
    if (!hasCode(error, 'vm-gone', 'outcome-unknown') || !(await vmHasEnded(context))) throw error;
    releaseAll(context);
    return 'gone';
  }
}

/** Milliseconds for which a process that has closed its sockets may still be ending. */
const endingMs = 2000;

/** Whether the VMM's process has surely ended. Without a known process nothing is sure. */
async function vmHasEnded({ sandbox }: Pick<OperationContext, 'sandbox'>): Promise<boolean> {
  return sandbox.process !== undefined && waitForEnd(sandbox.process, endingMs);
}

/** The VM has ended: everything that its devices held on this host is free. */
export function releaseAll({ store, sandbox }: Pick<OperationContext, 'store' | 'sandbox'>): string[] {
  return store.write((tx) => {
    const attachments = tx.attachments(sandbox.name);
    for (const { id } of attachments) {
      tx.deleteAttachment(id);
      closeOpen(tx, id, 'gone');
    }
    return attachments.map(({ id }) => id);
  });
}

async function settle(
  context: OperationContext,
  attachment: AttachmentRecord,
  inventory: Inventory,
): Promise<Settled> {
  const { hypervisor, store } = context;
  const { vmmId } = attachment.plan;
  if (!inventory.devices.includes(vmmId)) {
    if (inventory.backends.includes(vmmId)) await releaseBackends(hypervisor, attachment.plan);
    store.write((tx) => {
      tx.deleteAttachment(attachment.id);
      closeOpen(tx, attachment.id, 'released');
    });
    return 'released';
  }
  // Whether the guest was asked before the process ended is not known; the device is still there.
  if (attachment.state === 'detaching') return 'detaching';
  const { evidence, guest } = await hypervisor.observe(vmmId, attachment.place, {
    timeoutMs: vmmPatienceMs,
  });
  store.write((tx) => {
    tx.putAttachment({
      ...attachment,
      state: 'attached',
      ...(evidence === undefined ? {} : { evidence }),
      guest: { ...attachment.guest, ...guest },
    });
    closeOpen(tx, attachment.id, 'done');
  });
  return 'attached';
}

/** Closes what is still open in the journal for a device that has been settled. */
function closeOpen(tx: Transaction, device: string, state: OperationState): void {
  for (const operation of tx.operations({ device })) {
    if (closedStates.has(operation.state)) continue;
    closeOperation(tx, operation, state, operation.timeline);
  }
}

const closedStates: ReadonlySet<OperationState> = new Set(['done', 'failed', 'released', 'gone']);
