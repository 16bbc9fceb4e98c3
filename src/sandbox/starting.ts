import { rmSync } from 'node:fs';
import { VmplugError } from '../api/errors.ts';
import type { ExchangeOptions } from '../api/hypervisor.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import type { HostSysfs } from '../host/vfio/host-sysfs.ts';
import { giveBackFreed } from '../operations/leases.ts';
import type { Store } from '../store/store.ts';
import { lifeOf } from './life.ts';
import { endProcess } from './stop.ts';

/** What a start works with. */
export interface StartContext {
  readonly store: Store;
  /** The drivers of this host's PCI functions. */
  readonly sysfs: HostSysfs;
}

/**
 * Keeps what has become of a start, if the sandbox is still there: somebody may have stopped it.
 * @throws VmplugError `vm-gone`
 */
export function keepStarting(store: Store, sandbox: SandboxRecord): void {
  store.write((tx) => {
    if (!isSame(tx.sandbox(sandbox.name), sandbox)) {
      throw new VmplugError('vm-gone', {
        action: 'start the sandbox',
        subject: sandbox.name,
        reason: 'it was stopped and forgotten meanwhile',
        hint: 'start it again',
      });
    }
    tx.putSandbox(sandbox);
  });
}

/**
 * Takes back a start that failed: its VM is ended, then the records are removed with all that the
 * devices held, then what they were on this host is given back. While the VM has not ended, nothing is
 * freed. A group that cannot be given back keeps its lease, of which `doctor` tells.
 * @throws VmplugError `deadline-passed` when the VM does not end
 */
export async function withdraw(
  { store, sysfs }: StartContext,
  begun: SandboxRecord,
  options: ExchangeOptions,
): Promise<void> {
  const sandbox = store.read((tx) => tx.sandbox(begun.name));
  if (!isSame(sandbox, begun)) return;
  // Whoever has given up the start has not given up its end.
  if (sandbox?.process !== undefined) await endProcess(sandbox, { timeoutMs: options.timeoutMs });
  remove(store, begun);
  await giveBackFreed({ store, sysfs });
}

/** Removes what a start has left that was killed before it had a VM, or whose VM has ended. */
export async function clearUnstarted({ store, sysfs }: StartContext, name: string): Promise<void> {
  const sandbox = store.read((tx) => tx.sandbox(name));
  if (sandbox?.starter === undefined || lifeOf(sandbox) !== 'ended') return;
  remove(store, sandbox);
  await giveBackFreed({ store, sysfs });
}

/** Who removes the record removes the directory: another start may have made it anew. */
function remove(store: Store, sandbox: SandboxRecord): void {
  const isOurs = store.write((tx) => {
    if (!isSame(tx.sandbox(sandbox.name), sandbox)) return false;
    tx.deleteSandbox(sandbox.name);
    return true;
  });
  if (isOurs && sandbox.directory !== undefined) rmSync(sandbox.directory, { recursive: true, force: true });
}

function isSame(one: SandboxRecord | undefined, other: SandboxRecord): boolean {
  return one !== undefined && one.createdAt === other.createdAt && one.origin === other.origin;
}
