import type { Hypervisor } from '../api/hypervisor.ts';
import type { ProcessIdentity } from '../api/operation.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import type { HostSysfs } from '../host/vfio/host-sysfs.ts';
import type { Store } from '../store/store.ts';

/** What an operation works with. */
export interface OperationContext {
  readonly store: Store;
  readonly sandbox: SandboxRecord;
  readonly hypervisor: Hypervisor;
  /** This process. */
  readonly owner: ProcessIdentity;
  /** The drivers of this host's PCI functions. */
  readonly sysfs: HostSysfs;
  /** For how long a VMM may take to close the group of a device that it has let go of; {@link vmmPatienceMs} by default. */
  readonly groupClosesMs?: number;
  /** Hears the stages as they come, for people who watch. */
  readonly onProgress?: (text: string) => void;
}

/**
 * The least time for commands to the VMM, in milliseconds. They are answered at once unless
 * the VMM is in trouble, and one that was sent must not be given up while it may still work.
 */
export const vmmPatienceMs = 30_000;

/** The least time for questions to the VMM that change nothing, in milliseconds. */
const leastQuestionMs = 5_000;

/**
 * For how many milliseconds a VMM is asked what changes nothing, for a caller who waits `timeoutMs` for its
 * guest: a slow machine is given a little, and one that hangs costs the caller no more than that.
 */
export function questionMs(timeoutMs: number): number {
  return Math.min(vmmPatienceMs, Math.max(timeoutMs, leastQuestionMs));
}
