import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Order = 'sequential' | 'concurrent';

const program = fileURLToPath(new URL('plug.ts', import.meta.url));

/**
 * How often a process that attaches and detaches brings the state's log to disk (fsync and fdatasync on it,
 * seen by strace), from its start to its end.
 */
function countSyncs(parent: string, attaches: number, detaches: number, order: Order): number {
  mkdirSync(parent, { recursive: true });
  const directory = mkdtempSync(join(parent, 'fsyncs-'));
  try {
    const log = join(directory, 'strace');
    const traced = ['-f', '-y', '-o', log, '-e', 'trace=fsync,fdatasync', process.execPath, program];
    const { status, error, stderr } = spawnSync(
      'strace',
      [...traced, directory, `${attaches}`, `${detaches}`, order],
      { encoding: 'utf8' },
    );
    if (error !== undefined) throw error;
    if (status !== 0) throw new Error(`the traced process failed: ${stderr}`);
    return readFileSync(log, 'utf8').match(/f(?:data)?sync\(\d+<[^>]*\/vmplug\.db-wal>/g)?.length ?? 0;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What operations add to what the process does without any. */
export function addedSyncs(
  parent: string,
  order: Order,
  operations: number,
): { readonly operations: number; readonly attach: number; readonly detach: number } {
  const none = countSyncs(parent, 0, 0, order);
  const attach = countSyncs(parent, operations, 0, order);
  const both = countSyncs(parent, operations, operations, order);
  return { operations, attach: attach - none, detach: both - attach };
}
