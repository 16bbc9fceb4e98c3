import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { defaultHostPaths, type HostPaths } from '../host-paths.ts';
import { commandLine } from '../process-identity.ts';

/** A process that has the node of an IOMMU group open: the kernel lets nobody else open it. */
export interface GroupHolder {
  readonly pid: number;
  readonly command: string;
}

/**
 * Who has `/dev/vfio/<group>` open, by the links in `/proc/<pid>/fd` (proc_pid_fd(5)); undefined when
 * nobody has, or nobody whose files this user may see.
 * @param except a process that may have it
 */
export function groupHolder(
  group: string,
  paths: HostPaths = defaultHostPaths,
  except?: number,
): GroupHolder | undefined {
  const node = join(paths.dev, 'vfio', group);
  if (!existsSync(node)) return undefined;
  const pid = namesIn(paths.proc)
    .filter((name) => /^\d+$/.test(name) && Number(name) !== except)
    .find((name) => hasOpen(join(paths.proc, name, 'fd'), node));
  return pid === undefined ? undefined : { pid: Number(pid), command: commandLine(Number(pid), paths) };
}

function hasOpen(directory: string, node: string): boolean {
  return namesIn(directory).some((name) => {
    try {
      return readlinkSync(join(directory, name)) === node;
    } catch {
      // Closed since.
      return false;
    }
  });
}

/** Empty for the processes of other users, and for one that has ended. */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
