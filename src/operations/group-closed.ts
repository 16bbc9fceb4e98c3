import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { VfioLease } from '../api/lease.ts';
import { groupHolder, type GroupHolder } from '../host/vfio/group-holder.ts';
import type { HostSysfs } from '../host/vfio/host-sysfs.ts';
import { membersOfGroup } from '../host/vfio/iommu-group.ts';
import { boundDriver, isVfioPciDriver } from '../host/vfio/pci-driver.ts';
import { Deadline } from './deadline.ts';
import { groupStillOpen } from './lease-errors.ts';
import { Sleeper } from './wait.ts';

const lookEveryMs = 50;

/**
 * Waits until no process has a group open whose last functions with vfio-pci are to be given back. QEMU says
 * DEVICE_DELETED before it unmaps the guest's memory and closes the group. When the last function leaves vfio-pci in
 * between, the kernel (`vfio_device_remove_group()` in drivers/vfio, seen in Linux 6.1) frees the container that QEMU is
 * unmapping: the host's kernel hangs or is damaged.
 * @throws VmplugError `group-held`
 */
export async function groupClosed(lease: VfioLease, sysfs: HostSysfs, patienceMs: number): Promise<void> {
  const { group } = lease;
  if (!existsSync(join(sysfs.paths.dev, 'vfio', group)) || !(await areLast(lease, sysfs))) return;
  const holder = await whoKeepsOpen(patienceMs, () => groupHolder(group, sysfs.paths));
  if (holder !== undefined) throw groupStillOpen(group, holder);
}

/** Who has a group open still after `patienceMs`; undefined as soon as nobody has. */
export async function whoKeepsOpen(
  patienceMs: number,
  holderNow: () => GroupHolder | undefined,
): Promise<GroupHolder | undefined> {
  const deadline = new Deadline(patienceMs);
  for (;;) {
    const holder = holderNow();
    if (holder === undefined || deadline.passed()) return holder;
    await new Sleeper().sleep(Math.min(lookEveryMs, deadline.remaining()));
  }
}

/** Whether vfio-pci has no other function of the group than those of the lease. */
async function areLast({ group, functions }: VfioLease, { hooks }: HostSysfs): Promise<boolean> {
  const leased = new Set(functions.map(({ address }) => address));
  const members = await membersOfGroup(group, hooks);
  return members.every(
    ({ name, member }) => leased.has(name) || !isVfioPciDriver(boundDriver(member.SysfsDev)),
  );
}
