import { existsSync } from 'node:fs';
import { hasCode } from '../api/errors.ts';
import { makeBackup, makeBackupWhenOld } from '../store/backup.ts';
import { removeLeftRestores, restoreState, type Restored } from '../store/restore.ts';
import { checkState } from '../store/state-check.ts';
import { backupOf, storeFile } from '../store/state-file.ts';
import type { Finding } from './doctor/finding.ts';

/**
 * Whether the state's own file is sound; of a sound one a backup is made. A damaged one is restored
 * when asked to. Before the state is opened: nobody may have it open then.
 * @throws VmplugError `state-unavailable`, `state-too-new`
 */
export function examineState(stateDir: string, repair: boolean): Finding[] {
  const file = storeFile(stateDir);
  if (!existsSync(file)) return [];
  const [fault, ...further] = checkState(stateDir);
  if (fault === undefined) {
    if (repair) removeLeftRestores(stateDir);
    return backedUp(stateDir);
  }
  const what = `${file} is damaged: ${fault}${further.length === 0 ? '' : `, and ${further.length} more`}`;
  if (repair) return restored(what, file, restoreState(stateDir));
  const remedy =
    'vmplug doctor --repair puts it aside, saves what can be read, adds what the backup has, and asks every VM';
  return [{ problem: 'state-damaged', what, remedy, repaired: false }];
}

/** Keeps a backup that is not older than a day; that it cannot be made spoils nothing else. */
export function keepBackup(stateDir: string): void {
  try {
    makeBackupWhenOld(stateDir);
  } catch (error) {
    if (!hasCode(error, 'state-unavailable', 'state-damaged')) throw error;
  }
}

function backedUp(stateDir: string): Finding[] {
  try {
    makeBackup(stateDir);
    return [];
  } catch (error) {
    if (!hasCode(error, 'state-unavailable')) throw error;
    const remedy = error.hint ?? 'make its directory writable';
    return [{ problem: 'no-backup', what: error.message, remedy, repaired: false }];
  }
}

function restored(what: string, file: string, { aside, hasBackup, lost, ...kept }: Restored): Finding[] {
  const source = hasBackup ? `it and ${backupOf(file)}` : 'it';
  return [
    {
      problem: 'state-damaged',
      what,
      remedy: `put aside as ${aside}; of ${source} ${kept.sandboxes} sandboxes and ${kept.attachments} devices are restored, and the VMs are asked what they have`,
      repaired: true,
    },
    ...lost.map((text): Finding => ({
      problem: 'not-recovered',
      what: text,
      remedy:
        'run vmplug doctor: it shows VMs and devices that are in no record; such a device stays in its VM, where QEMU keeps its image locked, until it is released by name',
      repaired: false,
    })),
  ];
}
