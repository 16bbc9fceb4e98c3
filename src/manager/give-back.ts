import { deviceLogger } from '../api/logger.ts';
import { notGivenBack } from '../operations/lease-errors.ts';
import { giveBackFreed, type LeaseContext } from '../operations/leases.ts';

/**
 * Gives back the IOMMU groups of devices that are gone, whoever found that out. What fails is logged.
 * @param done what has been done to a sandbox that freed them, where it was that
 * @throws VmplugError `outcome-unknown` when a group of that sandbox could not be given back
 */
export async function giveBackGroups(
  context: LeaseContext,
  done?: { readonly action: string; readonly sandbox: string },
): Promise<void> {
  const results = await giveBackFreed(context);
  for (const { lease, error } of results) {
    if (error !== undefined) deviceLogger().warn('an IOMMU group is not given back', { ...lease, error });
  }
  if (done === undefined) return;
  const own = results.filter(({ lease }) => lease.sandbox === done.sandbox);
  const error = notGivenBack(done.action, done.sandbox, 'it is done', own);
  if (error !== undefined) throw error;
}

/**
 * Gives back the group of one device that a detach found gone with its VM.
 * @throws VmplugError `outcome-unknown` when it is still with vfio-pci
 */
export async function giveBackGone(context: LeaseContext, device: string, source: string): Promise<void> {
  const results = await giveBackFreed(context, { device, again: true });
  const error = notGivenBack('detach', source, 'it is released', results);
  if (error !== undefined) throw error;
}
