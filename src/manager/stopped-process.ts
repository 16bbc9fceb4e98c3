import type { SandboxRecord } from '../api/sandbox.ts';
import { defaultHostPaths } from '../host/host-paths.ts';
import { isAlive, procStat } from '../host/process-identity.ts';

/** The VMM's process, where it runs and is kept from running (proc_pid_stat(5): `T`, `t`). */
export function stoppedProcess({ process }: Pick<SandboxRecord, 'process'>): number | undefined {
  if (process === undefined || !isAlive(process)) return undefined;
  const state = procStat(process.pid, defaultHostPaths)?.state;
  return state === 'T' || state === 't' ? process.pid : undefined;
}
