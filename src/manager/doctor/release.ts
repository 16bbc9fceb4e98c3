import { VmplugError } from '../../api/errors.ts';
import { generationOf } from '../../api/names.ts';
import type { Transaction } from '../../store/store.ts';

/** A device in no record that a VM is to let go of. */
export interface Release {
  readonly sandbox: string;
  /** The VMM's name of it; of a group, what its functions have in common. */
  readonly device: string;
}

/** What a device is released by: all functions of a group leave together. */
export function releasable(vmmId: string): string {
  return vmmId.replace(/\.\d+$/, '');
}

/**
 * Reads `SANDBOX/DEVICE`, with the device as doctor names it.
 * @throws VmplugError `invalid-argument`, also for one that is in the records; `sandbox-not-found`
 */
export function parseRelease(tx: Transaction, text: string): Release {
  const [sandbox = '', name = '', ...rest] = text.split('/');
  if (rest.length > 0 || generationOf(name) === 0) {
    throw refused('invalid-argument', text, 'it is not written SANDBOX/vmplug-ID-NUMBER');
  }
  if (tx.sandbox(sandbox) === undefined) throw refused('sandbox-not-found', text, `there is no ${sandbox}`);
  const device = releasable(name);
  const recorded = tx.attachments(sandbox).find(({ plan }) => releasable(plan.vmmId) === device);
  if (recorded === undefined) return { sandbox, device };
  const hint = `vmplug detach ${sandbox} ${recorded.id}`;
  throw refused('invalid-argument', text, 'it is in the records, so it is detached, not released', hint);
}

function refused(
  code: 'invalid-argument' | 'sandbox-not-found',
  subject: string,
  reason: string,
  hint = 'vmplug doctor names what can be released, with the command',
): VmplugError {
  return new VmplugError(code, { action: 'release', subject, reason, hint });
}
