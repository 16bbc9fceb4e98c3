import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
import type { VmmRefusal } from '../api/hypervisor.ts';
import { memlockLimit } from '../host/memlock.ts';
import { groupHolder } from '../host/vfio/group-holder.ts';
import type { OperationContext } from './context.ts';
import { groupHeld } from './lease-errors.ts';

/** The error for a refusal that has a meaning of its own, with what this host knows of the reason. */
export function explained(
  { sandbox, sysfs }: Pick<OperationContext, 'sandbox' | 'sysfs'>,
  { source, host }: AttachmentRecord,
  refusal: VmmRefusal,
  error: VmplugError,
): VmplugError {
  const pid = sandbox.process?.pid;
  if (refusal.code === 'group-held' && host.kind === 'vfio') {
    const holder = groupHolder(host.group, sysfs.paths, pid);
    if (holder !== undefined) return groupHeld(source, host.group, holder, error.cause);
  }
  const limit =
    refusal.code === 'memlock-too-small' && pid !== undefined ? memlockLimit(pid, sysfs.paths) : undefined;
  return new VmplugError(refusal.code, {
    action: 'attach',
    subject: source,
    reason: `${refusal.reason}${limit === undefined ? '' : `: process ${pid} may lock ${limit} bytes`}`,
    hint: pid === undefined ? refusal.hint : refusal.hint.replace('--pid PID', `--pid ${pid}`),
    cause: error.cause,
    facts: { ...refusal.facts, ...(limit === undefined ? {} : { limit }) },
  });
}
