import type { SandboxRecord } from '../api/sandbox.ts';
import { bootId, isAlive, waitForEnd } from '../host/process-identity.ts';

/** Whether a VM is there, as far as can be said without speaking to it. */
export type Life = 'alive' | 'ended' | 'unknown';

/** Whether the VMM's process runs; `unknown` where it was never found, or is about to be started. */
export function lifeOf(sandbox: SandboxRecord): Life {
  if (sandbox.process !== undefined) return isAlive(sandbox.process) ? 'alive' : 'ended';
  if (sandbox.boot !== undefined && sandbox.boot !== bootId()) return 'ended';
  return sandbox.starter === undefined || isStarting(sandbox) ? 'unknown' : 'ended';
}

/** Which boot of this host it is, for the record of a sandbox; nothing where the kernel does not say. */
export function thisBoot(): Pick<SandboxRecord, 'boot'> {
  const boot = bootId();
  return boot === undefined ? {} : { boot };
}

/** Whether a living process is starting the VM. */
export function isStarting({ starter }: SandboxRecord): boolean {
  return starter !== undefined && isAlive(starter);
}

/** As {@link lifeOf}, with a little patience for a process that is ending. */
export async function lifeSoon(sandbox: SandboxRecord, patienceMs = 2000): Promise<Life> {
  if (sandbox.process === undefined) return lifeOf(sandbox);
  return (await waitForEnd(sandbox.process, patienceMs)) ? 'ended' : 'alive';
}
