import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { socketOwner } from '../../host/unix-socket-owner.ts';
import { sandboxFiles } from '../../sandbox/directories.ts';
import { isBeingStarted } from '../../sandbox/own-directory.ts';
import type { Store } from '../../store/store.ts';
import { person, repairs, type Finding } from './finding.ts';

/** Directories of sandboxes that are in no record: of a run that was killed before it was kept. */
export async function leftovers(store: Store, stateDir: string, repair: boolean): Promise<Finding[]> {
  const root = join(stateDir, 'sandboxes');
  if (!existsSync(root)) return [];
  const known = new Set(store.read((tx) => tx.sandboxes()).map(({ name }) => name));
  const findings: Finding[] = [];
  for (const name of readdirSync(root)) {
    if (known.has(name)) continue;
    const { directory, qmpSocket } = sandboxFiles(stateDir, name);
    if (isBeingStarted(directory)) continue;
    const owner = existsSync(qmpSocket) ? await socketOwner(qmpSocket) : undefined;
    if (repair && owner === undefined) rmSync(directory, { recursive: true, force: true });
    findings.push({
      problem: 'leftover-directory',
      sandbox: name,
      what: `${directory} belongs to no sandbox`,
      remedy:
        owner === undefined
          ? 'it is removed'
          : `process ${owner.pid} (${owner.command}) still runs in it: vmplug sandbox adopt ${name} --qmp ${qmpSocket}, or end it`,
      plan: [
        owner === undefined
          ? repairs(`remove ${directory}`)
          : person(`vmplug sandbox adopt ${name} --qmp ${qmpSocket}, or end process ${owner.pid}`),
      ],
      truths: { recorded: 'no sandbox', host: owner === undefined ? 'a directory' : 'a directory in use' },
      repaired: repair && owner === undefined,
    });
  }
  return findings;
}
