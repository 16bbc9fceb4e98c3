import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultHostHooks, type HostHooks } from '../../api/config.ts';
import { VFIODeviceNormalType } from '../../api/device-info.ts';
import type { HostFunction, HostIdentity, HostVfioGroup } from '../../api/host-device.ts';
import { groupOfFunction, groupOfMediated } from './group-of-device.ts';
import { defaultHostPaths, type HostPaths } from '../host-paths.ts';
import { membersOfGroup, type NamedMember } from './iommu-group.ts';
import { vfioError } from './vfio-errors.ts';
import { parseVfioSource, type VfioSource } from './vfio-source.ts';
import { checkViable } from './vfio-viable.ts';

export interface ResolveVfioOptions {
  hooks?: HostHooks | undefined;
  paths?: HostPaths | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Turns a VFIO source (see {@link parseVfioSource}) into the IOMMU group that it means, every
 * function of it ready for a VM. Reads only; claims and binds nothing.
 * @throws VmplugError `invalid-argument`, `pci-device-not-found`, `source-unsuitable`,
 * `group-not-viable`, `aborted`
 */
export async function resolveVfioGroup(
  source: string,
  { hooks = defaultHostHooks, paths = defaultHostPaths, signal }: ResolveVfioOptions = {},
): Promise<HostVfioGroup> {
  if (signal?.aborted === true)
    throw vfioError('aborted', source, 'given up before it began', { cause: signal.reason });
  const group = groupOf(source, parseVfioSource(source), hooks, paths);
  const members = await membersOfGroup(group, hooks);
  checkViable(source, group, members);
  const node = join(paths.dev, 'vfio', group);
  if (!existsSync(node)) {
    throw vfioError('source-unsuitable', source, `the node of its IOMMU group, ${node}, is missing`, {
      hint: 'see that the vfio modules are loaded (modprobe vfio-pci) and that /dev is the host’s own',
    });
  }
  const [first, ...rest] = await Promise.all(members.map(asFunction));
  if (first === undefined) throw new TypeError('a group has at least one function');
  return {
    kind: 'vfio',
    source,
    group,
    functions: [first, ...rest],
    identities: [exclusive(`iommu-group:${group}`), ...members.map(identityOf)],
    readOnly: false,
    shareRw: false,
  };
}

function groupOf(source: string, wanted: VfioSource, hooks: HostHooks, paths: HostPaths): string {
  switch (wanted.by) {
    case 'group':
      return wanted.group;
    case 'pci':
      return groupOfFunction(source, join(hooks.SysBusPciDevicesPath, wanted.address));
    case 'mdev':
    case 'vfio-ap':
      return groupOfMediated(source, wanted.by, join(paths.sys, 'bus/mdev/devices', wanted.uuid));
  }
}

async function asFunction({ name, member }: NamedMember): Promise<HostFunction> {
  return {
    type: member.Type,
    address: member.BDF === '' ? name : member.BDF,
    sysfsDev: await realpath(member.SysfsDev),
    vendorId: member.VendorID,
    deviceId: member.DeviceID,
    classCode: member.Class,
    isPcie: member.IsPCIe,
  };
}

function identityOf({ name, member }: NamedMember): HostIdentity {
  return exclusive(member.Type === VFIODeviceNormalType ? `pci:${member.BDF}` : `mdev:${name}`);
}

function exclusive(key: string): HostIdentity {
  return { key, mode: 'exclusive' };
}
