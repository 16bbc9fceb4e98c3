import type { AttachmentRecord } from '../api/attachment.ts';
import { hasCode, type VmplugError } from '../api/errors.ts';
import type { OperationState } from '../api/operation.ts';
import type { Begun } from './attach-begin.ts';
import { freedMeanwhile, locked, lost, notRecorded, notSeen, refused, silent } from './attach-errors.ts';
import type { AttachRequest } from './attach-request.ts';
import type { Confirmation } from './confirm.ts';
import { notVhostUser, refusedPeer, servedDevice, silentBackEnd } from './back-end-errors.ts';
import { confirmUnits } from './confirm-units.ts';
import type { OperationContext } from './context.ts';
import { Deadline } from './deadline.ts';
import { explained } from './explain-refusal.ts';
import { closeOperation, updateAttachment } from './journal.ts';
import { isSilence, settleAfter } from './settle.ts';
import type { Stopwatch } from './stopwatch.ts';

/** The VMM does not have the device: everything is undone, or the VMM is asked what it has. */
export async function giveUp(
  context: OperationContext,
  { attachment, operation }: Begun,
  error: unknown,
  watch: Stopwatch,
): Promise<unknown> {
  if (hasCode(error, 'outcome-unknown')) {
    context.store.write((tx) => {
      updateAttachment(tx, { ...attachment, state: 'unknown' });
      closeOperation(tx, operation, 'unknown', watch.timeline(), error);
    });
    const served = servedDevice(attachment);
    if (served !== undefined && isSilence(error.cause)) return silentBackEnd(attachment, served, error);
    const settled = await settleAfter(context, attachment.id, error);
    return settled === undefined ? error : lost(attachment, settled, error);
  }
  context.store.write((tx) => {
    tx.deleteAttachment(attachment.id);
    closeOperation(tx, operation, 'failed', watch.timeline(), error);
  });
  const found = await refusedPeer(attachment, error);
  if (found !== undefined) return found;
  const refusal = context.hypervisor.refusalOf(error);
  if (refusal !== undefined && hasCode(error, 'vmm-refused')) {
    return explained(context, attachment, refusal, error);
  }
  if (context.hypervisor.isNotVhostUser(error)) return notVhostUser(attachment, error);
  return context.hypervisor.isLocked(error) ? locked(attachment, error) : refused(attachment, error);
}

/** Waits for the evidence and makes what was seen durable. */
export async function conclude(
  context: OperationContext,
  request: AttachRequest,
  { attachment, operation }: Begun,
  watch: Stopwatch,
): Promise<AttachmentRecord> {
  const { hypervisor, store } = context;
  const deadline = new Deadline(request.timeoutMs, request.signal);
  let confirmation: Confirmation;
  try {
    confirmation = await confirmUnits(hypervisor, attachment, request.wait, deadline);
  } catch (error) {
    watch.lap('confirm');
    store.write((tx) => {
      updateAttachment(tx, { ...attachment, state: 'unknown' });
      closeOperation(tx, operation, 'unknown', watch.timeline(), error);
    });
    const settled = await settleAfter(context, attachment.id, error);
    if (isSilence(error)) throw await noAnswer(attachment, error);
    if (settled === undefined || !hasCode(error, 'outcome-unknown', 'vm-gone', 'vm-replaced')) throw error;
    throw lost(attachment, settled, error);
  }
  watch.lap('confirm');
  const { reached, evidence, guest } = confirmation;
  const attached = (timeline: AttachmentRecord['timeline']): AttachmentRecord => ({
    ...attachment,
    state: 'attached',
    ...(evidence === undefined ? {} : { evidence }),
    guest: { ...attachment.guest, ...guest },
    timeline,
  });
  const state: OperationState = reached ? 'done' : 'expired';
  try {
    const isKnown = store.writeSoon((tx) => {
      closeOperation(tx, operation, state, watch.timeline());
      return updateAttachment(tx, attached(watch.timeline()));
    });
    if (!isKnown) throw freedMeanwhile(attachment);
  } catch (error) {
    throw notRecorded(attachment, error);
  }
  watch.lap('record');
  if (reached) return attached(watch.timeline());
  throw notSeen(attachment, confirmation, request.wait, deadline);
}

/** The VMM took the device and then left a question unanswered. */
async function noAnswer(attachment: AttachmentRecord, error: unknown): Promise<VmplugError> {
  const served = servedDevice(attachment);
  return served === undefined ? silent(attachment, error) : silentBackEnd(attachment, served, error);
}
