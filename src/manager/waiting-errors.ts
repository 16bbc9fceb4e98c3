import { hasCode, VmplugError } from '../api/errors.ts';
import { isAlive } from '../host/process-identity.ts';
import { servedDevice, silentBackEnd } from '../operations/back-end-errors.ts';
import type { Store } from '../store/store.ts';
import { stoppedProcess } from './stopped-process.ts';

/**
 * An error that says that a VMM did not answer, with who keeps it from answering where that is known:
 * whoever stopped its process, an operation of ours that has the only connection, or the program behind the socket of a device that
 * was being attached. Every other error stays as it is.
 */
export async function withWhoIsWaitedFor(store: Store, sandbox: string, error: unknown): Promise<unknown> {
  if (!(error instanceof VmplugError) || !isUnanswered(error)) return error;
  const { stopped, holder, pending } = store.read((tx) => ({
    stopped: stoppedProcess(tx.sandbox(sandbox) ?? {}),
    holder: tx.operations({ sandbox }).find(({ state, owner }) => state === 'running' && isAlive(owner)),
    pending: tx.unsettledAttachments(sandbox).find((attachment) => servedDevice(attachment) !== undefined),
  }));
  if (stopped !== undefined) return ofStopped(error, stopped);
  if (holder !== undefined) {
    if (!hasCode(error, 'monitor-busy')) return error;
    return new VmplugError('monitor-busy', {
      action: error.action,
      subject: error.subject,
      reason: `${error.reason}; vmplug's process ${holder.owner.pid} is using it (${holder.action} of ${holder.device})`,
      hint: 'wait for it, or give a longer --timeout',
      cause: error,
      facts: { ...error.facts, pid: holder.owner.pid, operation: holder.id },
    });
  }
  const served = pending === undefined ? undefined : servedDevice(pending);
  if (pending === undefined || served === undefined) return error;
  return silentBackEnd(pending, served, error);
}

function ofStopped(error: VmplugError, pid: number): VmplugError {
  const { code, action, subject, reason, facts } = error;
  return new VmplugError(code, {
    action,
    subject,
    reason: `${reason}; the VMM's process ${pid} is stopped (SIGSTOP, or a debugger holds it)`,
    hint: `kill -CONT ${pid} lets it go on; then try again`,
    cause: error,
    facts: { ...facts, pid },
  });
}

/** The VMM left us waiting, and not the guest: a command had no answer, or we did not get as far as that. */
function isUnanswered({ code, facts }: VmplugError): boolean {
  if (code === 'monitor-busy') return true;
  return code === 'deadline-passed' && (facts['sent'] === true || facts['reason'] === 'greeted');
}
