import type { AttachmentRecord } from '../api/attachment.ts';
import type { Begun } from './attach-begin.ts';
import type { OperationContext } from './context.ts';
import type { Detached } from './detached.ts';
import { closeOperation } from './journal.ts';
import { notGivenBack } from './lease-errors.ts';
import { giveBackFreed, leaseGroup } from './leases.ts';
import type { Stopwatch } from './stopwatch.ts';

/**
 * The stage `bind` of an attach: its IOMMU group goes to vfio-pci. When that fails the attach is given up.
 * @throws VmplugError as {@link leaseGroup}
 */
export async function bindGroup(
  context: OperationContext,
  { attachment, operation }: Begun,
  watch: Stopwatch,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (attachment.kind !== 'vfio') return;
  context.onProgress?.('give the IOMMU group to vfio-pci');
  try {
    await leaseGroup(context, attachment, signal);
  } catch (error) {
    watch.lap('bind');
    context.store.write((tx) => {
      tx.deleteAttachment(attachment.id);
      closeOperation(tx, operation, 'failed', watch.timeline(), error);
    });
    throw error;
  }
  watch.lap('bind');
}

/**
 * The last undo of an attach that failed: the group goes back, if the attachment has gone.
 * @returns the error to throw: `error`, unless a function could not be given back
 */
export async function giveBackAfter(
  context: OperationContext,
  { id, kind, source }: AttachmentRecord,
  error: unknown,
): Promise<unknown> {
  if (kind !== 'vfio') return error;
  // When the state cannot be written, what broke the attach says more.
  const results = await giveBackFreed(context, { device: id }).catch(() => []);
  const words = error instanceof Error ? error.message : String(error);
  return notGivenBack('attach', source, `it was not attached (${words})`, results) ?? error;
}

/**
 * The stage `give-back` of a detach, after the VM has let go and that was recorded.
 * @throws VmplugError `outcome-unknown` when a function is still with vfio-pci: its lease stays
 */
export async function giveBackDetached(
  context: OperationContext,
  detached: Detached,
  watch: Stopwatch,
): Promise<Detached> {
  const { id, kind, source } = detached.attachment;
  if (kind !== 'vfio') return detached;
  context.onProgress?.('give the IOMMU group back');
  const results = await giveBackFreed(context, { device: id, again: true });
  const error = notGivenBack('detach', source, 'the VM has let go of it, and it is released', results);
  if (error !== undefined) throw error;
  if (results.length === 0) return detached;
  watch.lap('give-back');
  return { ...detached, timeline: watch.timeline() };
}
