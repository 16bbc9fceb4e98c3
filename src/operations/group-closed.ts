import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { LeaseRecord, VfioLease } from '../api/lease.ts';
import { groupHolder, type GroupHolder } from '../host/vfio/group-holder.ts';
import type { HostSysfs } from '../host/vfio/host-sysfs.ts';
import { membersOfGroup } from '../host/vfio/iommu-group.ts';
import { boundDriver, isVfioPciDriver } from '../host/vfio/pci-driver.ts';
import { Deadline } from './deadline.ts';
import { groupNotOpened, groupStillOpen } from './lease-errors.ts';
import { Sleeper } from './wait.ts';

const lookEveryMs = 50;

/**
 * Waits until no process has a group open whose last functions with vfio-pci are to be given back. QEMU says
 * DEVICE_DELETED before it unmaps the guest's memory and closes the group. When the last function leaves vfio-pci in
 * between, the kernel (`vfio_device_remove_group()` in drivers/vfio, seen in Linux 6.1) frees the container that QEMU is
 * unmapping: the host's kernel hangs or is damaged. For a VM that cannot be asked and whose process may not be seen
 * the kernel is asked, which lets nobody open a group that is open (`vfio_group_fops_open()`: EBUSY).
 * @throws VmplugError `group-held`
 */
export async function groupClosed(
  lease: VfioLease & Pick<LeaseRecord, 'unseen'>,
  sysfs: HostSysfs,
  patienceMs: number,
): Promise<void> {
  const { group, unseen = false } = lease;
  const node = join(sysfs.paths.dev, 'vfio', group);
  const isSafe = unseen ? !hasVfioPci(lease, sysfs) : !existsSync(node) || !(await areLast(lease, sysfs));
  if (isSafe) return;
  const holder = await whoKeepsOpen(patienceMs, () => groupHolder(group, sysfs.paths));
  if (holder !== undefined) throw groupStillOpen(group, holder);
  if (unseen) await openOnce(group, node);
}

/** @throws VmplugError `group-held` when the group cannot be opened, for whatever reason */
async function openOnce(group: string, node: string): Promise<void> {
  try {
    await (await open(node, 'r+')).close();
  } catch (error) {
    throw groupNotOpened(group, error);
  }
}

/** Whether a function of the lease is with vfio-pci, so that a VM can have it. */
function hasVfioPci({ functions }: VfioLease, { hooks }: HostSysfs): boolean {
  return functions.some(({ address }) => {
    const directory = join(hooks.SysBusPciDevicesPath, address);
    return existsSync(directory) && isVfioPciDriver(boundDriver(directory));
  });
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
