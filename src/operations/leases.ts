import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AttachmentRecord } from '../api/attachment.ts';
import { VFIODeviceNormalType } from '../api/device-info.ts';
import { hasCode, VmplugError } from '../api/errors.ts';
import type { HostVfioGroup } from '../api/host-device.ts';
import type { LeasedFunction, LeaseRecord } from '../api/lease.ts';
import type { ProcessIdentity } from '../api/operation.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { bootId, ownIdentity } from '../host/process-identity.ts';
import { groupHolder } from '../host/vfio/group-holder.ts';
import type { HostSysfs } from '../host/vfio/host-sysfs.ts';
import { moveFunctions } from '../host/vfio/move-functions.ts';
import { boundDriver, isVfioPciDriver } from '../host/vfio/pci-driver.ts';
import { leasedBy, movesToVfio, pciBus, releaseGroup } from '../host/vfio/vfio-binding.ts';
import type { Claims, Store, Transaction } from '../store/store.ts';
import { vmmPatienceMs } from './context.ts';
import { groupClosed, whoKeepsOpen } from './group-closed.ts';
import { groupHeld, leaseWorkedOn, type GivenBack } from './lease-errors.ts';
import { beginLeaseWork, isWorkedOn } from './lease-work.ts';

/** What leases are made and ended with. */
export interface LeaseContext {
  readonly store: Store;
  readonly sysfs: HostSysfs;
  /** This process; by default what it is. */
  readonly owner?: ProcessIdentity;
  /** For how long a VMM may take to close the group of a device that it has let go of; {@link vmmPatienceMs} by default. */
  readonly groupClosesMs?: number;
}

/**
 * Gives the IOMMU group of an attachment to vfio-pci. What its functions had before is durable
 * before the first of them changes hands; the attachment is in the store by then, with its claims.
 * Nothing is done for other kinds, and for a group that vfio-pci has without our doing: that one is
 * not given back either. A group of a former attachment that was not given back yet is taken over.
 * @throws VmplugError `group-held`, `operation-in-progress`, `unsupported` without vfio-pci,
 * `source-unsuitable`, `missing-package`, `aborted`: nothing is changed; `outcome-unknown` when a
 * function could not be put back: then the lease stays
 */
export async function leaseGroup(
  context: LeaseContext & { readonly sandbox?: Pick<SandboxRecord, 'process'> },
  attachment: AttachmentRecord,
  signal?: AbortSignal,
): Promise<void> {
  const { host } = attachment;
  if (host.kind !== 'vfio') return;
  const { store, sysfs, owner = ownIdentity() } = context;
  await refuseHeld(context, host);
  // With its claims in the store nobody begins to give the group back from here on.
  store.read((tx) => refuseWorkedOn(tx, host));
  const bus = pciBus(sysfs.hooks, sysfs.io);
  const addresses = presentFunctions(host, sysfs);
  const subject = `IOMMU group ${host.group}`;
  await loadVfioPci(addresses, sysfs);
  const moves = await movesToVfio(subject, addresses, bus);
  using work = beginLeaseWork(owner);
  const before = store.write((tx) => {
    refuseWorkedOn(tx, host);
    const former = overlapping(tx, host);
    const functions = merged([...former.flatMap((lease) => lease.functions), ...leasedBy(moves)]);
    const { id: device, sandbox } = attachment;
    for (const { group } of former) tx.deleteLease(group);
    if (functions.length > 0) {
      tx.putLease({
        group: host.group,
        functions,
        device,
        sandbox,
        boot: bootId() ?? '',
        worker: work.worker,
        ...(former.some(({ unseen }) => unseen) ? { unseen: true } : {}),
      });
    }
    return former;
  });
  try {
    await moveFunctions(subject, moves, bus, signal);
  } catch (error) {
    updateLease(store, host.group, work.worker.id, (tx, lease) => {
      if (hasCode(error, 'outcome-unknown')) tx.putLease(withError(lease, error));
      else {
        tx.deleteLease(host.group);
        for (const former of before) tx.putLease(former);
      }
    });
    throw error;
  }
  updateLease(store, host.group, work.worker.id, (tx, lease) => tx.putLease(idle(lease)));
}

/**
 * Gives back every group whose attachment is gone from the store, at the same time, and ends its
 * lease. What cannot be given back keeps its lease, with the error. Costs one look into the store
 * when there is none.
 * @param options.device only the group of this attachment
 * @param options.again also what failed before, and what a VM that cannot be asked may have: it may take long to fail
 * @throws VmplugError `state-unavailable`
 */
export async function giveBackFreed(
  context: LeaseContext,
  { device, again = false }: { readonly device?: string; readonly again?: boolean } = {},
): Promise<GivenBack[]> {
  const { store, owner = ownIdentity() } = context;
  const isWanted = (tx: Transaction & Claims, lease: LeaseRecord): boolean =>
    (device === undefined || lease.device === device) &&
    (again || (lease.error === undefined && (device !== undefined || lease.unseen !== true))) &&
    !isWorkedOn(lease) &&
    !isClaimed(tx, lease);
  if (!store.read((tx) => tx.freedLeases().some((lease) => isWanted(tx, lease)))) return [];
  using work = beginLeaseWork(owner);
  const leases = store.write((tx) => {
    const wanted = tx.freedLeases().filter((lease) => isWanted(tx, lease));
    for (const lease of wanted) tx.putLease({ ...lease, worker: work.worker });
    return wanted;
  });
  return await Promise.all(leases.map((lease) => giveBack(context, lease, work.worker.id)));
}

async function giveBack(context: LeaseContext, lease: LeaseRecord, work: string): Promise<GivenBack> {
  const { store, sysfs, groupClosesMs = vmmPatienceMs } = context;
  const { group, boot } = lease;
  try {
    // Since the host has started anew every function has the driver that it starts with.
    if (boot === (bootId() ?? '')) {
      await groupClosed(lease, sysfs, groupClosesMs);
      await releaseGroup(lease, sysfs.io, sysfs);
    }
  } catch (error) {
    if (!(error instanceof VmplugError)) throw error;
    updateLease(store, group, work, (tx, now) => tx.putLease(withError(now, error)));
    return { lease, error };
  }
  updateLease(store, group, work, (tx) => tx.deleteLease(group));
  return { lease };
}

/** Whether an attachment has the group or a function of it: then whoever made that takes the lease over. */
function isClaimed(tx: Claims, { group, functions }: LeaseRecord): boolean {
  const keys = [`iommu-group:${group}`, ...functions.map(({ address }) => `pci:${address}`)];
  return keys.some((key) => tx.holders(key).length > 0);
}

/** Milliseconds for which a VMM may still have a group open after its device has gone. */
const closingMs = 500;

/** By another process than the VM itself; where the VM's process is not known, the VMM has to say. */
async function refuseHeld(
  { sysfs, sandbox }: LeaseContext & { readonly sandbox?: Pick<SandboxRecord, 'process'> },
  { source, group }: HostVfioGroup,
): Promise<void> {
  if (sandbox !== undefined && sandbox.process === undefined) return;
  const { process } = sandbox ?? {};
  const holder = await whoKeepsOpen(closingMs, () => groupHolder(group, sysfs.paths, process?.pid));
  if (holder !== undefined) throw groupHeld(source, group, holder);
}

function refuseWorkedOn(tx: Transaction, host: HostVfioGroup): void {
  const busy = overlapping(tx, host).find(isWorkedOn);
  if (busy !== undefined) throw leaseWorkedOn(host, busy);
}

/** Leases of the group or of functions of it, which may have been in a group of another number before. */
function overlapping(tx: Transaction, { group, functions }: HostVfioGroup): LeaseRecord[] {
  const addresses = new Set(functions.map(({ address }) => address));
  return tx
    .leases()
    .filter(({ boot }) => boot === (bootId() ?? ''))
    .filter(
      (lease) => lease.group === group || lease.functions.some(({ address }) => addresses.has(address)),
    );
}

/** What a function had first is what it is given back to. */
function merged(functions: readonly LeasedFunction[]): LeasedFunction[] {
  const first = new Map<string, LeasedFunction>();
  for (const each of functions) if (!first.has(each.address)) first.set(each.address, each);
  return [...first.values()];
}

/** The PCI functions of a group that are still there; of one that is not the VMM says so. */
function presentFunctions({ functions }: HostVfioGroup, { hooks }: HostSysfs): string[] {
  return functions
    .filter(({ type, address }) => {
      return type === VFIODeviceNormalType && existsSync(join(hooks.SysBusPciDevicesPath, address));
    })
    .map(({ address }) => address);
}

async function loadVfioPci(addresses: readonly string[], sysfs: HostSysfs): Promise<void> {
  const devices = sysfs.hooks.SysBusPciDevicesPath;
  const isNeeded = addresses.some((address) => !isVfioPciDriver(boundDriver(join(devices, address))));
  if (isNeeded && !existsSync(join(devices, '../drivers/vfio-pci'))) await sysfs.loadModule('vfio-pci');
}

/** Changes a lease that is still worked on by us: in `work`. It need not be on disk: see {@link LeaseRecord.boot}. */
function updateLease(
  store: Store,
  group: string,
  work: string,
  change: (tx: Transaction, lease: LeaseRecord) => void,
): void {
  store.writeSoon((tx) => {
    const lease = tx.leases().find((each) => each.group === group);
    if (lease?.worker?.id === work) change(tx, lease);
  });
}

function idle(lease: LeaseRecord): LeaseRecord {
  const { worker: _, ...rest } = lease;
  return rest;
}

function withError(lease: LeaseRecord, { code, message }: VmplugError): LeaseRecord {
  return { ...idle(lease), error: { code, message } };
}
