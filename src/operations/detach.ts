import type { AttachmentRecord } from '../api/attachment.ts';
import { hasCode, VmplugError } from '../api/errors.ts';
import type { OperationRecord, OperationState, Timeline } from '../api/operation.ts';
import { vmmPatienceMs, type OperationContext } from './context.ts';
import { Deadline } from './deadline.ts';
import { closeOperation, openOperation } from './journal.ts';
import { releaseBackends } from './run-plan.ts';
import { settleAttachment } from './settle.ts';
import { Stopwatch } from './stopwatch.ts';
import { unplug } from './unplug.ts';
import type { UnplugOutcome } from './unplug-machine.ts';

export interface DetachRequest {
  readonly device: string;
  /** Milliseconds to wait for the guest. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** How a detach ended well. */
export interface Detached {
  readonly attachment: AttachmentRecord;
  /** `gone`: the VM itself has ended. */
  readonly state: 'released' | 'gone';
  readonly timeline: Timeline;
}

/**
 * Detaches a device: journal, ask the guest to let go, wait until the VMM confirms it, release
 * the back end, record. Place, claim and back end stay taken until the removal is confirmed.
 * @throws VmplugError `device-not-found`, `vm-paused`, `unplug-refused`, `deadline-passed` (the
 * request stands; a late answer settles it), `outcome-unknown`
 */
export async function detach(context: OperationContext, request: DetachRequest): Promise<Detached> {
  const watch = new Stopwatch();
  const status = await context.hypervisor.status({ timeoutMs: vmmPatienceMs });
  if (status === 'paused') throw paused(context.sandbox.name, request.device);
  watch.lap('resolve');
  const { attachment, operation } = begin(context, request);
  watch.lap('journal');
  context.onProgress?.('ask the guest to let go');
  const deadline = new Deadline(request.timeoutMs, request.signal);
  try {
    const outcome = await unplug(context.hypervisor, attachment, deadline);
    watch.lap('confirm');
    if (outcome !== 'released') throw giveUp(context, attachment, operation, outcome, deadline, watch);
    context.onProgress?.('release the back end');
    await releaseBackends(context.hypervisor, attachment.plan);
    watch.lap('run');
  } catch (error) {
    return await recover(context, attachment, operation, error, watch);
  }
  context.store.write((tx) => {
    tx.deleteAttachment(attachment.id);
    closeOperation(tx, operation, 'released', watch.timeline());
  });
  watch.lap('record');
  return { attachment, state: 'released', timeline: watch.timeline() };
}

function begin(
  context: OperationContext,
  request: DetachRequest,
): { attachment: AttachmentRecord; operation: OperationRecord } {
  return context.store.write((tx) => {
    const found = tx.attachment(request.device);
    if (found === undefined || found.sandbox !== context.sandbox.name) {
      throw new VmplugError('device-not-found', {
        action: 'detach',
        subject: request.device,
        reason: `${context.sandbox.name} has no such device`,
        hint: `vmplug ls ${context.sandbox.name} lists what it has`,
      });
    }
    const operation = openOperation(tx, found, 'detach', context.owner, request.timeoutMs);
    const attachment: AttachmentRecord = { ...found, state: 'detaching' };
    tx.putAttachment(attachment);
    return { attachment, operation };
  });
}

/** The guest did not let go: the device stays where it is, and the records say why. */
function giveUp(
  context: OperationContext,
  attachment: AttachmentRecord,
  operation: OperationRecord,
  outcome: Exclude<UnplugOutcome, 'released'>,
  deadline: Deadline,
  watch: Stopwatch,
): VmplugError {
  const error = notReleased(context, attachment, outcome, deadline);
  context.store.write((tx) => {
    if (outcome === 'refused') tx.putAttachment({ ...attachment, state: 'attached' });
    closeOperation(tx, operation, outcome, watch.timeline(), error);
  });
  return error;
}

function notReleased(
  context: OperationContext,
  attachment: AttachmentRecord,
  outcome: Exclude<UnplugOutcome, 'released'>,
  deadline: Deadline,
): VmplugError {
  const again = `vmplug detach ${context.sandbox.name} ${attachment.id}`;
  const facts = { device: attachment.id, outcome };
  const details = { action: 'detach', subject: attachment.source, facts };
  switch (outcome) {
    case 'refused':
      return new VmplugError('unplug-refused', {
        ...details,
        reason: 'the guest refused to let go of it',
        hint: `unmount it in the guest, then: ${again}`,
      });
    case 'paused':
      return new VmplugError('deadline-passed', {
        ...details,
        reason: 'the VM was paused while its guest was asked to let go; it will when it runs again',
        hint: `resume the VM, then: ${again}`,
      });
    case 'expired':
      return deadline.signal?.aborted === true
        ? new VmplugError('aborted', {
            ...details,
            reason: 'given up while waiting for the guest; the request stands',
            hint: `to wait again: ${again}`,
          })
        : new VmplugError('deadline-passed', {
            ...details,
            reason: `the guest did not let go of it in ${deadline.milliseconds} ms; the request stands, and everything stays reserved until it does`,
            hint: `is the guest up, and is the disk unmounted there? To ask and wait again: ${again} --timeout 60s`,
          });
  }
}

/** Something broke on the way: either the records say why, or the VMM is asked what it has. */
async function recover(
  context: OperationContext,
  attachment: AttachmentRecord,
  operation: OperationRecord,
  error: unknown,
  watch: Stopwatch,
): Promise<Detached> {
  if (hasCode(error, 'unplug-refused', 'deadline-passed', 'aborted') && error.facts['outcome'] !== undefined) {
    throw error;
  }
  const refused = hasCode(error, 'vmm-refused');
  const state: OperationState = refused ? 'refused' : 'unknown';
  context.store.write((tx) => {
    if (refused) tx.putAttachment({ ...attachment, state: 'attached' });
    closeOperation(tx, operation, state, watch.timeline(), error);
  });
  const settled = await settleAttachment(context, attachment.id).catch(() => undefined);
  if (settled === 'gone' || settled === 'released') {
    return { attachment, state: settled, timeline: watch.timeline() };
  }
  if (refused) {
    throw new VmplugError('unplug-refused', {
      action: 'detach',
      subject: attachment.source,
      reason: `${context.sandbox.name}'s VMM said: ${error.reason}`,
      hint: 'it stays attached',
      cause: error.cause,
      facts: { device: attachment.id },
    });
  }
  throw error;
}

function paused(sandbox: string, device: string): VmplugError {
  return new VmplugError('vm-paused', {
    action: 'detach',
    subject: device,
    reason: `${sandbox} is paused, so its guest cannot let go of anything; nothing was sent`,
    hint: 'resume the VM and detach again',
    facts: { status: 'paused' },
  });
}
