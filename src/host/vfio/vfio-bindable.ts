import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { HostHooks } from '../../api/config.ts';
import { VFIODeviceNormalType } from '../../api/device-info.ts';
import type { HostUsage } from '../disk/host-usage.ts';
import { functionUses } from './function-in-use.ts';
import type { NamedMember } from './iommu-group.ts';
import { boundDriver, isVfioPciDriver } from './pci-driver.ts';
import { vfioError } from './vfio-errors.ts';

export interface BindableRequest {
  readonly source: string;
  readonly group: string;
  /** The function that was asked for, where it was one. */
  readonly wanted?: string | undefined;
  readonly hooks: HostHooks;
  readonly usage: HostUsage;
  /** Whether the group has this function only. */
  readonly isAlone: boolean;
  /** Take functions that this host uses; not the one that `/` lies on. */
  readonly force: boolean;
}

/** The driver of the host that a function is to be taken from, `null` for none; undefined when vfio has it. */
export function hostDriverOf({ member }: NamedMember): string | null | undefined {
  if (member.Type !== VFIODeviceNormalType) return undefined;
  const driver = boundDriver(member.SysfsDev);
  return isVfioPciDriver(driver) ? undefined : driver;
}

/**
 * Sees that the functions which vfio-pci does not have yet may be given to it.
 * @throws VmplugError `unsupported` without vfio-pci; `source-in-use`; `group-not-viable` when another
 * function of the group than the one asked for is in use
 */
export function checkBindable(toBind: readonly NamedMember[], request: BindableRequest): void {
  if (toBind.length === 0) return;
  const { source, group, wanted, isAlone, hooks, usage, force } = request;
  const isLoaded = existsSync(join(dirname(hooks.SysBusPciDevicesPath), 'drivers/vfio-pci'));
  if (!isLoaded && process.geteuid?.() !== 0) {
    throw vfioError('unsupported', source, 'vfio-pci is not loaded, and only root may load it', {
      hint: 'modprobe vfio-pci',
    });
  }
  const used = toBind.flatMap(({ name }) => {
    const uses = functionUses(name, hooks, usage);
    const use = uses.find(({ isRoot }) => isRoot) ?? uses[0];
    return use === undefined ? [] : [{ name, use }];
  });
  const first = used.find(({ name }) => name === wanted) ?? used[0];
  const refused = used.find(({ use }) => use.isRoot) ?? (force ? undefined : first);
  if (refused === undefined) return;
  const { name, use } = refused;
  const facts = { group, function: name };
  const hint = use.isRoot
    ? `${use.hint}, not with --force either`
    : `${use.hint}; --force takes it all the same, and what uses it breaks`;
  if (use.isRoot || isAlone || name === wanted) {
    throw vfioError('source-in-use', source, `this host uses ${name}: ${use.what}`, { hint, facts });
  }
  throw vfioError(
    'group-not-viable',
    source,
    `IOMMU group ${group} moves as a whole, and this host uses ${name} of it: ${use.what}`,
    { hint, facts },
  );
}
