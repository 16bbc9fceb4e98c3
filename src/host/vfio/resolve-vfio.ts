import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultHostHooks, type HostHooks } from '../../api/config.ts';
import { VFIODeviceNormalType } from '../../api/device-info.ts';
import type { HostFunction, HostIdentity, HostVfioGroup } from '../../api/host-device.ts';
import { groupOfFunction, groupOfMediated } from './group-of-device.ts';
import { hostUsage } from '../disk/host-usage.ts';
import { defaultHostPaths, type HostPaths } from '../host-paths.ts';
import { membersOfGroup, type NamedMember } from './iommu-group.ts';
import { vfioError } from './vfio-errors.ts';
import { parseVfioSource, type VfioSource } from './vfio-source.ts';
import { checkBindable, hostDriverOf } from './vfio-bindable.ts';
import { checkViable } from './vfio-viable.ts';

export interface ResolveVfioOptions {
  hooks?: HostHooks | undefined;
  paths?: HostPaths | undefined;
  signal?: AbortSignal | undefined;
  /** Its functions will be given to vfio-pci: they may still be with drivers of this host. */
  willBind?: boolean | undefined;
  /** With `willBind`: take functions that this host uses. */
  force?: boolean | undefined;
}

/**
 * Turns a VFIO source (see {@link parseVfioSource}) into the IOMMU group that it means, every
 * function of it ready for a VM, or to be bound. Reads only; claims and binds nothing.
 * @throws VmplugError `invalid-argument`, `pci-device-not-found`, `source-unsuitable`, `no-iommu`,
 * `group-not-viable`, `aborted`; with `willBind` also `source-in-use` and `unsupported`
 */
export async function resolveVfioGroup(
  source: string,
  options: ResolveVfioOptions = {},
): Promise<HostVfioGroup> {
  const { hooks = defaultHostHooks, paths = defaultHostPaths, signal } = options;
  if (signal?.aborted === true)
    throw vfioError('aborted', source, 'given up before it began', { cause: signal.reason });
  const parsed = parseVfioSource(source);
  const group = groupOf(source, parsed, hooks, paths);
  const members = await membersOfGroup(group, hooks);
  const toBind =
    options.willBind === true ? members.filter((member) => hostDriverOf(member) !== undefined) : [];
  checkBindable(toBind, {
    source,
    group,
    wanted: parsed.by === 'pci' ? parsed.address : undefined,
    isAlone: members.length === 1,
    hooks,
    usage: hostUsage(paths),
    force: options.force ?? false,
  });
  checkViable(
    source,
    group,
    members.filter((member) => !toBind.includes(member)),
  );
  // The node is made when the first function of the group comes to vfio.
  if (toBind.length === 0) checkNode(source, join(paths.dev, 'vfio', group));
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

function checkNode(source: string, node: string): void {
  if (existsSync(node)) return;
  throw vfioError('source-unsuitable', source, `the node of its IOMMU group, ${node}, is missing`, {
    hint: 'see that the vfio modules are loaded (modprobe vfio-pci) and that /dev is the host’s own',
  });
}

function groupOf(source: string, wanted: VfioSource, hooks: HostHooks, paths: HostPaths): string {
  switch (wanted.by) {
    case 'group':
      return wanted.group;
    case 'pci':
      return groupOfFunction(source, join(hooks.SysBusPciDevicesPath, wanted.address), hooks);
    case 'mdev':
    case 'vfio-ap':
      return groupOfMediated(source, wanted.by, join(paths.sys, 'bus/mdev/devices', wanted.uuid));
  }
}

async function asFunction(named: NamedMember): Promise<HostFunction> {
  const { name, member } = named;
  const hostDriver = hostDriverOf(named);
  return {
    type: member.Type,
    address: member.BDF === '' ? name : member.BDF,
    sysfsDev: await realpath(member.SysfsDev),
    vendorId: member.VendorID,
    deviceId: member.DeviceID,
    classCode: member.Class,
    isPcie: member.IsPCIe,
    ...(hostDriver === undefined ? {} : { hostDriver }),
  };
}

function identityOf({ name, member }: NamedMember): HostIdentity {
  return exclusive(member.Type === VFIODeviceNormalType ? `pci:${member.BDF}` : `mdev:${name}`);
}

function exclusive(key: string): HostIdentity {
  return { key, mode: 'exclusive' };
}
