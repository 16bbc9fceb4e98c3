import type { AttachmentRecord, AttachmentState } from '../api/attachment.ts';
import { hasCode, VmplugError } from '../api/errors.ts';
import type { ExchangeOptions } from '../api/hypervisor.ts';
import type { OperationRecord } from '../api/operation.ts';
import { unitsOf } from '../api/plan.ts';
import { questionMs, type OperationContext } from './context.ts';
import { Deadline } from './deadline.ts';
import { notFreed, notReleased, refusedByVmm, type UnplugEnd } from './detach-errors.ts';
import { forgetAttachment } from './forget-attachment.ts';
import type { Detached } from './detached.ts';
import { giveBackDetached } from './group-drivers.ts';
import { abandonOperation, closeOpen, closeOperation, openOperation, updateAttachment } from './journal.ts';
import { hasLostBackEnd } from './lost-back-end.ts';
import { putBack } from './put-back.ts';
import { releaseBackends } from './run-plan.ts';
import { isSilence, settleAfter } from './settle.ts';
import { Stopwatch } from './stopwatch.ts';
import { unplug } from './unplug.ts';

export interface DetachRequest {
  readonly device: string;
  /** Milliseconds to wait for the guest. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Detaches a device: journal, ask the guest to let go, wait until the VMM confirms it, release
 * the back end, record. Place, claim and back end stay taken until the removal is confirmed.
 * @throws VmplugError `device-not-found`, `vm-paused`, `unplug-refused`, `deadline-passed` (the
 * request stands; a late answer settles it), `outcome-unknown`, also when it is released and its
 * IOMMU group could not be given back
 */
export async function detach(context: OperationContext, request: DetachRequest): Promise<Detached> {
  const watch = new Stopwatch();
  const limits = { timeoutMs: questionMs(request.timeoutMs) };
  const status = await context.hypervisor.status(limits);
  if (status === 'paused' && (await vmHas(context, request.device, limits))) {
    throw paused(context.sandbox.name, request.device);
  }
  watch.lap('resolve');
  const begun = await begin(context, request);
  watch.lap('journal');
  try {
    return await giveBackDetached(context, await carryOut(context, request, begun, watch), watch);
  } catch (error) {
    abandonOperation(begun.operation, error);
    throw error;
  }
}

/** Whether the VM has any of a device: what it has not needs no guest to let go of it. */
async function vmHas(
  { store, hypervisor }: OperationContext,
  device: string,
  limits: ExchangeOptions,
): Promise<boolean> {
  const attachment = store.read((tx) => tx.attachment(device));
  if (attachment === undefined) return true;
  const { devices } = await hypervisor.inventory(limits);
  return unitsOf(attachment).some(({ vmmId }) => devices.includes(vmmId));
}

async function carryOut(
  context: OperationContext,
  request: DetachRequest,
  begun: Begun,
  watch: Stopwatch,
): Promise<Detached> {
  const { attachment, operation } = begun;
  context.onProgress?.('ask the guest to let go');
  const deadline = new Deadline(request.timeoutMs, request.signal);
  let removed = false;
  try {
    const { outcome, requested, released } = await unplug(context.hypervisor, attachment, deadline);
    watch.lap('confirm');
    if (outcome !== 'released') {
      const rest =
        outcome === 'refused' ? await putBack(context, attachment, operation, released) : attachment;
      const isLost = outcome === 'expired' && (await hasLostBackEnd(context.hypervisor, attachment));
      const end: UnplugEnd = { outcome, requested, deadline, ...(isLost ? { backend: 'lost' } : {}) };
      throw giveUp(context, { ...begun, attachment: rest }, end, watch);
    }
    removed = true;
    context.onProgress?.('release the back end');
    await releaseBackends(context.hypervisor, attachment.plan);
    watch.lap('run');
  } catch (error) {
    return await recover(context, begun, error, removed, watch);
  }
  context.store.writeSoon((tx) => {
    forgetAttachment(tx, attachment);
    closeOperation(tx, operation, 'released', watch.timeline());
    closeOpen(tx, attachment.id, 'released');
  });
  watch.lap('record');
  return { attachment, state: 'released', timeline: watch.timeline() };
}

interface Begun {
  readonly attachment: AttachmentRecord;
  /** Where the attachment was before. */
  readonly before: AttachmentState;
  readonly operation: OperationRecord;
}

async function begin(context: OperationContext, request: DetachRequest): Promise<Begun> {
  return context.store.writeTogether((tx) => {
    const found = tx.attachment(request.device);
    if (found === undefined || found.sandbox !== context.sandbox.name) {
      throw new VmplugError('device-not-found', {
        action: 'detach',
        subject: request.device,
        reason: `${context.sandbox.name} has no such device`,
        hint: `vmplug ls ${context.sandbox.name} lists what it has`,
      });
    }
    refuseStaying(found);
    const operation = openOperation(tx, found, 'detach', context.owner, request.timeoutMs);
    const attachment: AttachmentRecord = { ...found, state: 'detaching' };
    tx.putAttachment(attachment);
    return { attachment, before: found.state, operation };
  });
}

/** Some devices cannot leave a running VM, whoever asks. */
function refuseStaying({ id, source, plan }: AttachmentRecord): void {
  if (plan.staysUntilVmEnds === undefined) return;
  throw new VmplugError('unsupported', {
    action: 'detach',
    subject: source,
    reason: plan.staysUntilVmEnds,
    hint: 'it stays until the VM ends, and is freed then',
    facts: { device: id },
  });
}

/** The guest did not let go: the device stays where it is, and the records say why. */
function giveUp(
  context: OperationContext,
  { attachment, before, operation }: Begun,
  end: UnplugEnd,
  watch: Stopwatch,
): VmplugError {
  const error = notReleased(context.sandbox.name, attachment, end);
  context.store.write((tx) => {
    if (end.outcome === 'refused') updateAttachment(tx, { ...attachment, state: 'attached' });
    else if (!end.requested) updateAttachment(tx, { ...attachment, state: before });
    closeOperation(tx, operation, end.outcome, watch.timeline(), error);
  });
  return error;
}

/** Whether the guest was asked, or has let go, the VMM does not say: it answers nothing. */
function silent({ id, sandbox, source }: AttachmentRecord, cause: unknown): VmplugError {
  return new VmplugError('deadline-passed', {
    action: 'detach',
    subject: source,
    reason: 'the VMM has stopped answering; everything stays reserved until it says that the device is gone',
    hint: `does the VM hang? To ask again: vmplug detach ${sandbox} ${id}`,
    cause,
    facts: { device: id },
  });
}

/** Something broke on the way: either the records say why, or the VMM is asked what it has. */
async function recover(
  context: OperationContext,
  { attachment, before, operation }: Begun,
  error: unknown,
  removed: boolean,
  watch: Stopwatch,
): Promise<Detached> {
  if (
    hasCode(error, 'unplug-refused', 'deadline-passed', 'aborted') &&
    error.facts['outcome'] !== undefined
  ) {
    throw error;
  }
  const refused = !removed && hasCode(error, 'vmm-refused');
  context.store.write((tx) => {
    if (refused) updateAttachment(tx, { ...attachment, state: before });
    closeOperation(tx, operation, refused ? 'refused' : 'unknown', watch.timeline(), error);
  });
  const settled = await settleAfter(context, attachment.id, error);
  if (settled === 'gone' || settled === 'released') {
    return { attachment, state: settled, timeline: watch.timeline() };
  }
  if (isSilence(error)) throw silent(attachment, error);
  if (!hasCode(error, 'vmm-refused')) throw error;
  throw refused ? refusedByVmm(context.sandbox.name, attachment, error) : notFreed(attachment, error);
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
