import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { defaultHostHooks, type HostHooks } from '../../api/config.ts';
import type { GroupMember } from '../../api/device-host.ts';
import { errnoOf } from '../source-errors.ts';
import { vfioError } from './vfio-errors.ts';
import { describeMember, isBridge } from './vfio-function.ts';

/** A member of an IOMMU group with the name that sysfs has for it: a PCI address or a UUID. */
export interface NamedMember {
  name: string;
  member: GroupMember;
}

/**
 * The members of the IOMMU group of a `/dev/vfio/<group>` path, by name. Bridges are left out:
 * they stay with the host, and the kernel lets the rest of the group go without them.
 * @throws VmplugError `pci-device-not-found`, `source-unsuitable`
 */
export async function groupMembers(
  hostPath: string,
  hooks: HostHooks = defaultHostHooks,
): Promise<GroupMember[]> {
  const members = await membersOfGroup(groupOf(hostPath), hooks);
  return members.map(({ member }) => member);
}

/** As {@link groupMembers}, by the group's number below `SysIOMMUPath`. */
export async function membersOfGroup(group: string, hooks: HostHooks): Promise<NamedMember[]> {
  const directory = join(hooks.SysIOMMUPath, group, 'devices');
  const names = await namesIn(directory, group);
  const members = names
    .map((name) => ({ name, member: describeMember(name, directory, hooks) }))
    .filter(({ member }) => !isBridge(member.Class));
  if (members.length === 0) {
    throw vfioError('source-unsuitable', group, 'the IOMMU group has no devices, or bridges only', {
      hint: 'plug the group of the device itself: see /sys/kernel/iommu_groups/*/devices',
    });
  }
  return members;
}

/**
 * The number of a group by its node. vfio names a group without an IOMMU `noiommu-<n>`; its
 * number in sysfs is the same.
 */
function groupOf(hostPath: string): string {
  return basename(hostPath).replace(/^noiommu-(?=\d+$)/, '');
}

async function namesIn(directory: string, group: string): Promise<string[]> {
  try {
    const names = await readdir(directory, { encoding: 'buffer' });
    return names.sort((a, b) => Buffer.compare(a, b)).map((name) => name.toString());
  } catch (cause) {
    const missing = errnoOf(cause) === 'ENOENT';
    throw vfioError(
      missing ? 'pci-device-not-found' : 'source-unsuitable',
      group,
      missing ? 'this host has no such IOMMU group' : 'the devices of the IOMMU group cannot be listed',
      { hint: 'the groups of this host are in /sys/kernel/iommu_groups', cause },
    );
  }
}
