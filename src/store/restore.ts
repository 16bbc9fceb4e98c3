import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { VmplugError } from '../api/errors.ts';
import { lockHolders } from '../host/lock-holders.ts';
import { processIdentity } from '../host/process-identity.ts';
import { sync } from './backup.ts';
import { putRow } from './put-rows.ts';
import { salvage, type Row, type Salvaged } from './salvage.ts';
import { stateError } from './sqlite-errors.ts';
import { SqliteStore } from './sqlite-store.ts';
import { backupOf, filesOf, restoringOf, storeFile } from './state-file.ts';
import { stateTables, type StateTable } from './state-tables.ts';
import type { Transaction } from './store.ts';

/** What became of a damaged state. */
export interface Restored {
  /** Where the damaged file is now, as it was, with its log beside it. */
  readonly aside: string;
  /** Whether there was a backup for what could not be read. */
  readonly hasBackup: boolean;
  /** How many there are; `lost` says what may be missing. */
  readonly sandboxes: number;
  readonly attachments: number;
  /** For people: what could not be recovered, or not for sure. */
  readonly lost: readonly string[];
}

/**
 * Makes a state anew from what can be read of the damaged one, and from the backup for what cannot.
 * The damaged files are copied aside first; nothing of them is ever deleted. Every attachment is of
 * unknown state afterwards, so that its VM is asked.
 * @throws VmplugError `state-unavailable` when another process has the state open, or the disk is full
 */
export function restoreState(stateDir: string): Restored {
  const file = storeFile(stateDir);
  const work = join(stateDir, `restoring-${process.pid}`);
  try {
    refuseOpen(file);
    const { ino } = statSync(file);
    removeLeftRestores(stateDir);
    for (const name of ['damaged', 'backup', 'new'])
      mkdirSync(join(work, name), { recursive: true, mode: 0o700 });
    const aside = unfinished(file) ?? copyAside(file);
    copyDatabase(aside, storeFile(join(work, 'damaged')));
    const backup = readBackup(file, join(work, 'backup'));
    const made = rebuild(join(work, 'new'), salvage(storeFile(join(work, 'damaged'))), backup);
    // Whoever has opened the file by now would go on writing into what is no longer the state.
    refuseOpen(file);
    refuseOther(file, ino);
    putInPlace(storeFile(join(work, 'new')), file, aside);
    return { aside, hasBackup: backup !== undefined, ...made };
  } catch (error) {
    throw stateError(error, 'restore the state', file);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function refuseOpen(file: string): void {
  const holders = lockHolders(file);
  if (holders.length === 0) return;
  throw new VmplugError('state-unavailable', {
    action: 'restore the state',
    subject: file,
    reason: `another process has it open: ${holders.join(', ')}`,
    hint: 'end it, or wait for it, and run vmplug doctor --repair again; nothing was changed',
    facts: { pid: holders[0] ?? null },
  });
}

/** Two that restore at once: the second would undo what the first has done. */
function refuseOther(file: string, inode: number): void {
  if (statSync(file).ino === inode) return;
  throw new VmplugError('state-unavailable', {
    action: 'restore the state',
    subject: file,
    reason: 'another process has just restored it',
    hint: 'run vmplug doctor again',
  });
}

/** Removes what a restore left beside the state whose process was killed on the way. */
export function removeLeftRestores(stateDir: string): void {
  for (const name of readdirSync(stateDir)) {
    const pid = /^restoring-(\d+)$/.exec(name)?.[1];
    if (pid === undefined || processIdentity(Number(pid)) !== undefined) continue;
    rmSync(join(stateDir, name), { recursive: true, force: true });
  }
}

/** The copy that a restore was made from which was killed: the file itself may lack its log since, or be the restored one. */
function unfinished(file: string): string | undefined {
  const marker = restoringOf(file);
  const name = existsSync(marker) ? readFileSync(marker, 'utf8') : '';
  const aside = join(dirname(file), name);
  return name.startsWith(`${basename(file)}.damaged-`) && existsSync(aside) ? aside : undefined;
}

function copyAside(file: string): string {
  for (let number = 1; ; number += 1) {
    const aside = `${file}.damaged-${number}`;
    if (existsSync(aside)) continue;
    copyDatabase(file, aside);
    for (const part of [aside, `${aside}-wal`, dirname(aside)]) if (existsSync(part)) sync(part);
    return aside;
  }
}

/** Copies a database with its log; the index of the log is made anew by whoever opens it. */
function copyDatabase(from: string, to: string): void {
  copyFileSync(from, to);
  if (existsSync(`${from}-wal`)) copyFileSync(`${from}-wal`, `${to}-wal`);
}

/** The rows of the backup, brought to the present schema. */
function readBackup(file: string, directory: string): Map<StateTable['name'], Salvaged> | undefined {
  if (!existsSync(backupOf(file))) return undefined;
  copyFileSync(backupOf(file), storeFile(directory));
  try {
    SqliteStore.open(directory)[Symbol.dispose]();
  } catch {
    // The backup is damaged as well: what can be read of it is better than nothing.
  }
  return salvage(storeFile(directory));
}

function rebuild(
  directory: string,
  found: ReadonlyMap<StateTable['name'], Salvaged>,
  backup: ReadonlyMap<StateTable['name'], Salvaged> | undefined,
): Omit<Restored, 'aside' | 'hasBackup'> {
  using store = SqliteStore.open(directory);
  return store.write((tx) => {
    const lost: string[] = [];
    for (const { name, key } of stateTables) {
      const { rows, isWhole } = found.get(name) ?? { rows: [], isWhole: false };
      const older = isWhole ? [] : (backup?.get(name)?.rows ?? []);
      if (!isWhole) lost.push(missing(name, backup !== undefined));
      for (const row of [...rows, ...older]) {
        const problem = putRow(tx, name, row);
        if (problem !== undefined) lost.push(`${name} ${label(row, key)}: ${problem}`);
      }
    }
    if (lost.length > 0) keepUnasked(tx);
    return { sandboxes: tx.sandboxes().length, attachments: tx.attachments().length, lost };
  });
}

/** The attachment of such a lease may be what was lost: its VM may have the group. */
function keepUnasked(tx: Transaction): void {
  for (const lease of tx.freedLeases()) tx.putLease({ ...lease, unseen: true });
}

function missing(table: string, hasBackup: boolean): string {
  return `not all of ${table} could be read; ${hasBackup ? 'what the backup has was added, what came after it may be missing' : 'there is no backup to add from'}`;
}

function label(row: Row, key: readonly string[]): string {
  return String(row['id'] ?? key.map((column) => String(row[column])).join(' '));
}

/**
 * The log goes first: beside another database it would be taken for that one's. Until the database is in its place
 * it is known that what is there is not whole, and where what belongs to it is.
 */
function putInPlace(made: string, file: string, aside: string): void {
  sync(made);
  const marker = restoringOf(file);
  writeFileSync(marker, basename(aside), { mode: 0o600 });
  for (const path of [marker, dirname(file)]) sync(path);
  for (const part of filesOf(file).slice(1)) rmSync(part, { force: true });
  renameSync(made, file);
  sync(dirname(file));
  rmSync(marker);
  sync(dirname(file));
}
