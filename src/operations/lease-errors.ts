import { VmplugError } from '../api/errors.ts';
import type { HostVfioGroup } from '../api/host-device.ts';
import type { LeaseRecord } from '../api/lease.ts';
import type { GroupHolder } from '../host/vfio/group-holder.ts';

/** What became of giving a group back: `error` says why it is still with vfio-pci. */
export interface GivenBack {
  readonly lease: LeaseRecord;
  readonly error?: VmplugError;
}

/** Somebody changes the drivers of the group's functions at the moment. */
export function leaseWorkedOn({ source }: HostVfioGroup, { group, worker }: LeaseRecord): VmplugError {
  const pid = worker?.process.pid ?? 0;
  return new VmplugError('operation-in-progress', {
    action: 'give to vfio-pci',
    subject: source,
    reason: `process ${pid} is changing the drivers of IOMMU group ${group}`,
    hint: 'wait until it has ended',
    facts: { group, pid },
  });
}

/** Another process has the group open. */
export function groupHeld(subject: string, group: string, holder: GroupHolder, cause?: unknown): VmplugError {
  return new VmplugError('group-held', {
    action: 'attach',
    subject,
    reason: `process ${holder.pid} (${holder.command}) has IOMMU group ${group} open, and only one may`,
    hint: 'end it, or take the device out of it first',
    ...(cause === undefined ? {} : { cause }),
    facts: { group, pid: holder.pid, command: holder.command },
  });
}

/** A process has the group open that is to be given back. */
export function groupStillOpen(group: string, { pid, command }: GroupHolder): VmplugError {
  return new VmplugError('group-held', {
    action: 'give back',
    subject: `IOMMU group ${group}`,
    reason: `process ${pid} (${command}) still has it open`,
    hint: 'wait until it has closed it, or end it; then vmplug doctor --repair gives the group back',
    facts: { group, pid, command },
  });
}

/** A group whose VM cannot be asked, and that could not be opened to see whether it is open. */
export function groupNotOpened(group: string, cause: unknown): VmplugError {
  const words = cause instanceof Error ? cause.message : String(cause);
  return new VmplugError('group-held', {
    action: 'give back',
    subject: `IOMMU group ${group}`,
    reason: `a VM that cannot be seen from here may have it open (${words})`,
    hint: 'end that VM; then vmplug doctor --repair gives the group back. After the next start of this host nothing is to be given back',
    cause,
    facts: { group },
  });
}

/**
 * The error for groups of `results` that are still with vfio-pci; undefined when all were given back.
 * @param done what has been done all the same, for people
 */
export function notGivenBack(
  action: string,
  subject: string,
  done: string,
  results: readonly GivenBack[],
): VmplugError | undefined {
  const failed = results.filter(({ error }) => error !== undefined);
  const [first] = failed;
  if (first === undefined) return undefined;
  const words = failed.map(({ lease, error }) => `IOMMU group ${lease.group}: ${error?.reason ?? ''}`);
  return new VmplugError('outcome-unknown', {
    action,
    subject,
    reason: `${done}, but not everything could be given back to the drivers of this host: ${words.join('; ')}`,
    hint: 'see what the kernel says (dmesg); vmplug doctor --repair tries again',
    cause: first.error,
    facts: { ...first.error?.facts, group: first.lease.group, released: true },
  });
}
