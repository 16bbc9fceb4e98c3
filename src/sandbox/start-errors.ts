import { hasCode, VmplugError } from '../api/errors.ts';
import { unitsOf } from '../api/plan.ts';
import { saysLocked, saysNotVhostUser } from '../hypervisors/qemu/refusals.ts';
import { vfioRefusalIn } from '../hypervisors/qemu/vfio-refusals.ts';
import type { Begun } from '../operations/attach-begin.ts';
import { locked, refused } from '../operations/attach-errors.ts';
import { notVhostUser, servedDevice } from '../operations/back-end-errors.ts';
import type { OperationContext } from '../operations/context.ts';
import { explained } from '../operations/explain-refusal.ts';
import { isSilence } from '../operations/settle.ts';

/** An error of a device that a VM was to have from the start, under the name of its source. */
export function ofSource(error: unknown, source: string, others: readonly Begun[]): unknown {
  if (!(error instanceof VmplugError)) return error;
  const isTwice = others.some(({ attachment }) => attachment.id === error.facts['device']);
  if (isTwice && error.code === 'already-attached') {
    return new VmplugError('already-attached', {
      action: 'start a VM with',
      subject: source,
      reason: 'it is to have it twice',
      hint: 'give it once',
      cause: error,
    });
  }
  return error.subject === source ? error : under(source, error, error.message, error.hint);
}

/**
 * What kept a VM from starting, under the name of the device whose arguments QEMU complains of; as
 * it is when QEMU complains of something else.
 */
export function ofStart(
  error: unknown,
  context: Pick<OperationContext, 'sandbox' | 'sysfs'>,
  begun: readonly Begun[],
): unknown {
  if (isSilence(error)) return ofSilence(error, begun);
  if (!hasCode(error, 'start-failed')) return error;
  const blamed = begun.find(({ attachment }) =>
    unitsOf(attachment).some(({ vmmId }) => error.reason.includes(vmmId)),
  );
  if (blamed === undefined) return error;
  const { attachment } = blamed;
  // QEMU repeats the whole argument first.
  const words = error.reason.replace(/^.*(?:\}|server=off): /s, '');
  if (saysLocked(words)) return locked(attachment, error);
  if (saysNotVhostUser(words)) return notVhostUser(attachment, error);
  const said = under(attachment.source, error, words, error.hint, 'vmm-refused');
  const refusal = vfioRefusalIn(words);
  return refusal === undefined ? refused(attachment, said) : explained(context, attachment, refusal, said);
}

/** A QEMU that connects to a socket at its start does nothing else until it is answered. */
function ofSilence(error: unknown, begun: readonly Begun[]): unknown {
  const served = begun.find(({ attachment }) => servedDevice(attachment) !== undefined);
  if (served === undefined || !(error instanceof VmplugError)) return error;
  return new VmplugError('backend-silent', {
    action: 'start a VM with',
    subject: served.attachment.source,
    reason: `QEMU did not get ready (${error.reason}); the program behind the socket may not answer it`,
    hint: 'see what that program prints, or end it; the VM was ended again, and nothing was left behind',
    cause: error,
  });
}

/** A device that the guest did not show; its VM is ended again. */
export function notShown(error: unknown, source: string): unknown {
  if (!(error instanceof VmplugError)) return error;
  const hint =
    'the VM was ended again, and nothing was left behind; give it longer, or wait for less evidence';
  return under(source, error, error.reason, hint);
}

/** A start that failed, and whose VM or records could not be removed either. */
export function notWithdrawn(error: unknown, second: unknown): unknown {
  if (!(second instanceof VmplugError)) return second;
  return new VmplugError(second.code, {
    action: second.action,
    subject: second.subject,
    reason: `${second.reason}; its start had failed: ${error instanceof Error ? error.message : String(error)}`,
    ...(second.hint === undefined ? {} : { hint: second.hint }),
    cause: new AggregateError([error, second], 'the start failed, and then its undoing'),
    facts: second.facts,
  });
}

function under(
  source: string,
  error: VmplugError,
  reason: string,
  hint: string | undefined,
  code = error.code,
): VmplugError {
  return new VmplugError(code, {
    action: 'start a VM with',
    subject: source,
    reason,
    ...(hint === undefined ? {} : { hint }),
    cause: error,
    facts: error.facts,
  });
}
