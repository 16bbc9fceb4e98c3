import type { AttachmentRecord } from '../api/attachment.ts';
import type { Hypervisor } from '../api/hypervisor.ts';

/** Milliseconds: it only says why, so nothing is lost when the answer is not waited for. */
const patienceMs = 2_000;

/**
 * Whether the program that serves a device has ended. A guest that waits for an answer of it does not let go
 * of the device any more. False where that is not known.
 */
export async function hasLostBackEnd(
  hypervisor: Hypervisor,
  { host, plan, place }: AttachmentRecord,
): Promise<boolean> {
  if (!host.kind.startsWith('vhost-user-')) return false;
  try {
    return (await hypervisor.observe(plan.vmmId, place, { timeoutMs: patienceMs })).backend === 'lost';
  } catch {
    return false;
  }
}
