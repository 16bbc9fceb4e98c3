import type { ErrorCode } from '../api/error-codes.ts';
import { hasCode, VmplugError } from '../api/errors.ts';
import { unitsOf } from '../api/plan.ts';
import { saysLocked, saysNotVhostUser } from '../hypervisors/qemu/refusals.ts';
import { vfioRefusalIn } from '../hypervisors/qemu/vfio-refusals.ts';
import type { Begun } from '../operations/attach-begin.ts';
import { locked, refused } from '../operations/attach-errors.ts';
import { notVhostUser, programBehind, servedDevice, type Wish } from '../operations/back-end-errors.ts';
import type { OperationContext } from '../operations/context.ts';
import { explained } from '../operations/explain-refusal.ts';
import { isSilence } from '../operations/settle.ts';

/** How a refusal of a device ends that a VM was to have from the start. */
export const starting: Wish = {
  action: 'start a VM with',
  unchanged: 'no VM was started, and nothing was left behind',
};

/** An error of a device that a VM was to have from the start, under the name of its source. */
export function ofSource(error: unknown, source: string, others: readonly Begun[]): unknown {
  if (!(error instanceof VmplugError)) return error;
  const other = others.find(({ attachment }) => attachment.id === error.facts['device']);
  const clash = clashes[error.code];
  if (other !== undefined && clash !== undefined) {
    // The other one was never in a VM: no talk of what it is called there, or of taking it out.
    const { reason, hint } = clash(other.attachment.source);
    return new VmplugError(error.code, {
      action: starting.action,
      subject: source,
      reason,
      hint,
      cause: error,
    });
  }
  return error.subject === source ? error : under(source, error, error.message, error.hint);
}

/** What two devices of one start cannot both have. */
const clashes: { readonly [code in ErrorCode]?: (other: string) => { reason: string; hint: string } } = {
  'already-attached': () => ({ reason: 'it is to have it twice', hint: 'give it once' }),
  'tag-in-use': (other) => ({
    reason: `${other} is to have the same tag`,
    hint: 'give each a tag of its own: --cold-plug \'{"source":"vhost-user-fs:SOCKET","tag":"NAME"}\'',
  }),
  'mac-in-use': (other) => ({
    reason: `${other} is to have the same MAC address`,
    hint: 'give each an address of its own: --cold-plug \'{"source":"vhost-user-net:SOCKET","mac":"ADDRESS"}\'',
  }),
};

/**
 * What kept a VM from starting, under the name of the device whose arguments QEMU complains of; as
 * it is when QEMU complains of something else.
 */
export async function ofStart(
  error: unknown,
  context: Pick<OperationContext, 'sandbox' | 'sysfs'>,
  begun: readonly Begun[],
): Promise<unknown> {
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
  if (saysNotVhostUser(words)) return notVhostUser(attachment, error, starting);
  const said = under(attachment.source, error, words, error.hint, 'vmm-refused');
  const refusal = vfioRefusalIn(words);
  return refusal === undefined ? refused(attachment, said) : explained(context, attachment, refusal, said);
}

/**
 * A QEMU that has programs behind sockets asks them at its start, and does nothing else until it is
 * answered. Of several it does not say for which one it waits: all are named.
 */
async function ofSilence(silence: VmplugError, begun: readonly Begun[]): Promise<VmplugError> {
  const sockets = begun.flatMap(({ attachment }) => servedDevice(attachment) ?? []);
  const [first] = sockets;
  if (first === undefined) return silence;
  const programs = await Promise.all(sockets.map((socket) => programBehind(socket)));
  const names = programs.map(({ program }, index) => `${program} behind ${sockets[index]?.source}`);
  return new VmplugError('backend-silent', {
    action: starting.action,
    subject: first.source,
    reason: `QEMU did not get ready in time: it may wait for an answer of ${names.join(' or of ')}`,
    hint: 'see what that program prints, or end it; the VM was ended again, and nothing was left behind',
    cause: silence,
    facts: sockets.length === 1 ? (programs[0]?.facts ?? {}) : {},
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
