import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LeaseRecord } from '../../api/lease.ts';
import { bootId } from '../../host/process-identity.ts';
import { isWorkedOn } from '../../operations/lease-work.ts';
import type { GivenBack } from '../../operations/lease-errors.ts';
import { giveBackFreed, type LeaseContext } from '../../operations/leases.ts';
import { person, repairs, type Finding } from './finding.ts';

/**
 * IOMMU groups that are still with vfio-pci although their attachments are gone, and leases of which
 * every function has gone from this host. Repairing gives them back, also where that failed before.
 */
export async function leftLeases(context: LeaseContext, repair: boolean): Promise<Finding[]> {
  const left = context.store.read((tx) => tx.freedLeases().filter((lease) => !isWorkedOn(lease)));
  if (left.length === 0) return [];
  const results = repair ? await giveBackFreed(context, { again: true }) : [];
  return left.map((lease) =>
    finding(
      lease,
      present(lease, context),
      results.find((result) => result.lease.group === lease.group),
    ),
  );
}

function finding(lease: LeaseRecord, isPresent: boolean, result: GivenBack | undefined): Finding {
  const { group, device, sandbox, functions, error } = lease;
  const repaired = result !== undefined && result.error === undefined;
  const isFormer = lease.boot !== (bootId() ?? '');
  if (!isPresent || isFormer) {
    const since = isFormer
      ? 'this host was started anew since, and every function has the driver that it starts with'
      : 'its functions are no longer on this host';
    return {
      problem: 'lease-vanished',
      sandbox,
      device,
      what: `IOMMU group ${group} (${addresses(lease)}) was given to vfio-pci; ${since}`,
      remedy: 'there is nothing to give back: the lease is dropped',
      plan: [repairs('drop the lease')],
      truths: { recorded: 'a lease', host: isFormer ? 'started anew' : 'gone' },
      repaired,
    };
  }
  const drivers = functions.map(({ address, driver }) => `${address} to ${driver ?? 'no driver'}`).join(', ');
  const failure = result?.error?.message ?? error?.message;
  const unseen = lease.unseen === true ? ', and a VM that nobody can ask may have it open' : '';
  return {
    problem: 'not-given-back',
    sandbox,
    device,
    what: `IOMMU group ${group} (${addresses(lease)}) is still to be given back to this host${unseen}${failure === undefined ? '' : `; the last try failed: ${failure}`}`,
    remedy:
      result?.error === undefined
        ? `given back: ${drivers}`
        : (result.error.hint ?? 'see what the kernel says: dmesg'),
    plan: [
      repairs(`give back ${drivers}`),
      ...(result?.error === undefined
        ? []
        : [person(result.error.hint ?? 'see what the kernel says: dmesg')]),
    ],
    truths: { recorded: 'a lease', host: 'with vfio-pci' },
    repaired,
  };
}

function addresses({ functions }: LeaseRecord): string {
  return functions.map(({ address }) => address).join(', ');
}

function present({ functions }: LeaseRecord, { sysfs }: LeaseContext): boolean {
  return functions.some(({ address }) => existsSync(join(sysfs.hooks.SysBusPciDevicesPath, address)));
}
