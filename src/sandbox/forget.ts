import { rmSync } from 'node:fs';
import type { AttachmentRecord } from '../api/attachment.ts';
import { hasCode, VmplugError } from '../api/errors.ts';
import type { ExchangeOptions } from '../api/hypervisor.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import type { Store, Transaction } from '../store/store.ts';
import { connectSandbox } from './connect.ts';
import { isStarting, lifeOf } from './life.ts';

/**
 * Removes a sandbox from the records. With a VM that may still run, only when it has no
 * devices of ours: their claims would be free while the VM still writes.
 * @throws VmplugError `sandbox-in-use`
 */
export function forgetSandbox(store: Store, sandbox: SandboxRecord): void {
  const life = lifeOf(sandbox);
  forgetIf(store, sandbox, (tx) => {
    const devices = tx.attachments(sandbox.name).length;
    if (life !== 'ended' && (devices > 0 || sandbox.origin === 'run')) {
      throw inUse(sandbox, devices, life === 'unknown' && !isStarting(sandbox));
    }
  });
}

/**
 * Removes a sandbox from the records although nobody knows whether its VM has ended: its process was never
 * found, and the VM cannot be reached. What it held is free here then, and that VM, if there is one, may go on
 * using it: what keeps others off is the VMM's locks on images and the kernel's on an IOMMU group, which for
 * that reason is not given back before the kernel says that nobody has it open.
 * @returns what may still be in use; nothing of a VM that turns out to have ended
 * @throws VmplugError `sandbox-in-use` when the VM is known to run, `operation-in-progress` while it is being
 *   started, `monitor-busy`, `deadline-passed`
 */
export async function forgetUnseen(
  store: Store,
  sandbox: SandboxRecord,
  options: ExchangeOptions,
): Promise<AttachmentRecord[]> {
  if (lifeOf(sandbox) !== 'unknown') {
    forgetSandbox(store, sandbox);
    return [];
  }
  const ended = await hasEnded(sandbox, options);
  return forgetIf(store, sandbox, (tx) => (ended ? [] : leaveUnseen(tx, sandbox.name))) ?? [];
}

/**
 * Looks and forgets in one transaction: nothing is attached in between. When somebody else has forgotten it,
 * nothing is done: another VM may have its name and its directory by now.
 */
export function forgetIf<T>(
  store: Store,
  sandbox: SandboxRecord,
  look: (tx: Transaction) => T,
): T | undefined {
  const { name, createdAt, directory } = sandbox;
  return store.write((tx) => {
    if (tx.sandbox(name)?.createdAt !== createdAt) return undefined;
    const result = look(tx);
    tx.deleteSandbox(name);
    // Before others may use the name: what they put there is not taken away.
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
    return result;
  });
}

function leaveUnseen(tx: Transaction, name: string): AttachmentRecord[] {
  for (const lease of tx.leases()) if (lease.sandbox === name) tx.putLease({ ...lease, unseen: true });
  return tx.attachments(name);
}

/** Whether a VM has surely ended; false where it cannot be reached, or another one answers. */
async function hasEnded(sandbox: SandboxRecord, options: ExchangeOptions): Promise<boolean> {
  try {
    await using _ = await connectSandbox(sandbox, options);
  } catch (error) {
    if (hasCode(error, 'vm-gone')) return true;
    if (hasCode(error, 'outcome-unknown', 'vm-replaced', 'not-qmp')) return false;
    throw error;
  }
  throw new VmplugError('sandbox-in-use', {
    action: 'forget',
    subject: sandbox.name,
    reason: 'its VM answers, so it can be asked to let go',
    hint: `detach its devices first: vmplug ls ${sandbox.name}`,
  });
}

function inUse({ name }: SandboxRecord, devices: number, isUnseen: boolean): VmplugError {
  const force = `; if its VM can be reached no more, vmplug sandbox forget ${name} --force, after which a VM that nobody can see may still use what it held`;
  return new VmplugError('sandbox-in-use', {
    action: 'forget',
    subject: name,
    reason:
      devices > 0
        ? `its VM may still run and has ${devices} of our devices`
        : 'its VM still runs, and was started here',
    hint:
      devices > 0
        ? `detach them first: vmplug ls ${name}${isUnseen ? force : ''}`
        : `vmplug sandbox stop ${name}`,
    facts: { devices },
  });
}
