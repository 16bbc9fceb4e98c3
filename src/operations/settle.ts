import type { AttachmentRecord } from '../api/attachment.ts';
import { hasCode, VmplugError } from '../api/errors.ts';
import { weaker } from '../api/evidence.ts';
import type { Inventory } from '../api/hypervisor.ts';
import { backendNames, handsOver, unitsOf } from '../api/plan.ts';
import { waitForEnd } from '../host/process-identity.ts';
import type { Store, Transaction } from '../store/store.ts';
import { vmmPatienceMs, type OperationContext } from './context.ts';
import { forgetAttachment } from './forget-attachment.ts';
import { closeOpen, runningOperation } from './journal.ts';
import { releaseBackends } from './run-plan.ts';

/**
 * What became of an attachment whose outcome was not known: the VMM has it, has let go of it
 * (and everything is released), was asked to let go and has not yet, or has ended itself.
 */
export type Settled = 'attached' | 'released' | 'detaching' | 'gone';

/**
 * Settles every attachment of the sandbox that no living operation works on and whose state
 * is not certain, by asking the VMM what it has. Nothing is repeated blindly. A device whose
 * back end the VMM does not give up yet stays as it is, and is left out of the result.
 * @param patienceMs milliseconds for the VMM to say what it has
 * @throws VmplugError what the VMM throws; what is settled by then stays settled
 */
export async function settleSandbox(
  context: OperationContext,
  patienceMs = vmmPatienceMs,
): Promise<Map<string, Settled>> {
  const open = context.store.read((tx) =>
    tx.unsettledAttachments(context.sandbox.name).filter(({ id }) => runningOperation(tx, id) === undefined),
  );
  const settled = new Map<string, Settled>();
  if (open.length === 0) return settled;
  const inventory = await context.hypervisor.inventory({ timeoutMs: patienceMs });
  for (const attachment of open) {
    try {
      // Without waiting: this runs before the operations on other devices.
      const state = await settle(context, attachment, inventory, 0);
      if (state !== undefined) settled.set(attachment.id, state);
    } catch (error) {
      if (!hasCode(error, 'vmm-refused')) throw error;
    }
  }
  return settled;
}

/** Settles one attachment; `undefined` when somebody else has begun to work on it. */
export async function settleAttachment(
  context: OperationContext,
  id: string,
  patienceMs = vmmPatienceMs,
): Promise<Settled | undefined> {
  const { attachment, isBusy } = context.store.read((tx) => ({
    attachment: tx.attachment(id),
    isBusy: runningOperation(tx, id) !== undefined,
  }));
  if (attachment === undefined) return 'released';
  if (isBusy) return undefined;
  try {
    const inventory = await context.hypervisor.inventory({ timeoutMs: patienceMs });
    return await settle(context, attachment, inventory);
  } catch (error) {
    if (!hasCode(error, 'vm-gone', 'vm-replaced', 'outcome-unknown') || !(await vmHasEnded(context)))
      throw error;
    releaseAll(context);
    return 'gone';
  }
}

/** Milliseconds for a VMM to say what it has when it has just left a command unanswered. */
const afterSilenceMs = 2_000;

/**
 * Settles one attachment after its operation broke with `error`; `undefined` when that cannot be
 * done now. A VMM that has just left a question unanswered is not asked another one, and one that left a
 * command unanswered is asked shortly: the caller has waited long enough, and the next command settles it.
 */
export async function settleAfter(
  context: OperationContext,
  id: string,
  error: unknown,
): Promise<Settled | undefined> {
  if (isSilence(error)) return undefined;
  const wasSilent = error instanceof VmplugError && isSilence(error.cause);
  return settleAttachment(context, id, wasSilent ? afterSilenceMs : vmmPatienceMs).catch(() => undefined);
}

/** Whether an operation broke because the VMM left a question unanswered. */
export function isSilence(error: unknown): error is VmplugError {
  return hasCode(error, 'deadline-passed', 'monitor-busy');
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
    for (const attachment of attachments) {
      forgetAttachment(tx, attachment);
      closeOpen(tx, attachment.id, 'gone');
    }
    return attachments.map(({ id }) => id);
  });
}

async function settle(
  context: OperationContext,
  attachment: AttachmentRecord,
  inventory: Inventory,
  drainMs?: number,
): Promise<Settled | undefined> {
  const { hypervisor, store } = context;
  const units = unitsOf(attachment);
  const present = units.filter(({ vmmId }) => inventory.devices.includes(vmmId));
  if (present.length === 0) {
    const isLeft =
      handsOver(attachment.plan) ||
      backendNames(attachment.plan).some((name) => inventory.backends.includes(name));
    if (isLeft) await releaseBackends(hypervisor, attachment.plan, drainMs);
    return store.write((tx) =>
      ifUnchanged(tx, attachment, () => {
        forgetAttachment(tx, attachment);
        closeOpen(tx, attachment.id, 'released');
        return 'released';
      }),
    );
  }
  // Whether the guest was asked before the process ended is not known; the device is still there.
  if (attachment.state === 'detaching') return stillLeaving(store, attachment);
  // A part of a group is of no use to the guest: the rest of it is to leave too.
  if (present.length < units.length) {
    return store.write((tx) =>
      ifUnchanged(tx, attachment, () => {
        tx.putAttachment({ ...attachment, state: 'detaching' });
        closeOpen(tx, attachment.id, 'failed');
        return 'detaching';
      }),
    );
  }
  const seen = await Promise.all(
    units.map(({ vmmId, place }) => hypervisor.observe(vmmId, place, { timeoutMs: vmmPatienceMs })),
  );
  // It left after the inventory was taken: the next look releases what it held.
  if (seen.some((observation) => !observation.present)) return undefined;
  const evidence = seen.map((observation) => observation.evidence ?? 'acknowledged').reduce(weaker);
  const guest = seen[0]?.guest;
  return store.write((tx) =>
    ifUnchanged(tx, attachment, () => {
      tx.putAttachment({
        ...attachment,
        state: 'attached',
        evidence,
        guest: { ...attachment.guest, ...guest },
      });
      closeOpen(tx, attachment.id, 'done');
      return 'attached';
    }),
  );
}

/** It may be detached again. An operation whose process has ended no longer runs. */
function stillLeaving(store: Store, attachment: AttachmentRecord): Settled | undefined {
  const { id } = attachment;
  const isLeft = store.read((tx) => tx.operations({ device: id }).some(({ state }) => state === 'running'));
  if (!isLeft) return 'detaching';
  return store.write((tx) =>
    ifUnchanged(tx, attachment, () => {
      closeOpen(tx, id, 'unknown');
      return 'detaching';
    }),
  );
}

/** Others may have settled it, or begun to work on it, while the VMM was asked: then it is theirs. */
function ifUnchanged(
  tx: Transaction,
  { id, state, generation }: AttachmentRecord,
  write: () => Settled,
): Settled | undefined {
  const now = tx.attachment(id);
  if (now === undefined) return 'released';
  const isSame = now.state === state && now.generation === generation;
  return isSame && runningOperation(tx, id) === undefined ? write() : undefined;
}
