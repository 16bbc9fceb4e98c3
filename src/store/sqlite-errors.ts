import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { VmplugError } from '../api/errors.ts';
import { UnreadableRecord } from './read-record.ts';
import { backupOf, restoringOf } from './state-file.ts';

interface Remedy {
  readonly reason: string;
  readonly hint: string;
}

/** SQLite's primary result codes (https://sqlite.org/rescode.html) that a user can do something about. */
const remedies: Readonly<Record<number, Remedy>> = {
  5: { reason: 'another process kept it locked', hint: 'try again; `vmplug sandbox ls` shows what runs' },
  8: { reason: 'it is read-only', hint: 'make it writable, or choose another with --state-dir' },
  10: { reason: 'reading or writing it failed', hint: 'check the disk; the kernel log says more' },
  13: { reason: 'no space is left on the disk', hint: 'free some space and run the command again' },
  14: {
    reason: 'it cannot be opened or made',
    hint: 'check its permissions, or choose another with --state-dir',
  },
  26: { reason: 'the file is not a vmplug state', hint: 'choose another directory with --state-dir' },
};

/** What the file system says by itself: making the directory, or asked why SQLite could not. */
const systemRemedies: Readonly<Record<string, Remedy>> = {
  ENOTDIR: { reason: 'a part of its path is not a directory', hint: 'choose another with --state-dir' },
  EEXIST: { reason: 'its directory is a file', hint: 'choose another with --state-dir' },
  EACCES: {
    reason: 'this user is not allowed to use it',
    hint: 'check its permissions, or choose another with --state-dir',
  },
  EROFS: {
    reason: 'it is on a read-only file system',
    hint: 'make it writable, or choose another with --state-dir',
  },
  ENOSPC: { reason: 'no space is left on the disk', hint: 'free some space and run the command again' },
  ENAMETOOLONG: { reason: 'its path is too long', hint: 'choose another with --state-dir' },
};

/** Turns what SQLite throws into a typed error that names the state's file. */
export function stateError(error: unknown, action: string, file: string): VmplugError {
  if (error instanceof VmplugError) return error;
  const code = sqliteCode(error);
  if (isDamage(error, file)) return damaged(error, action, file);
  const remedy = systemRemedies[errnoBehind(error, file) ?? ''] ?? remedies[(code ?? 0) & 0xff];
  return new VmplugError('state-unavailable', {
    action,
    subject: file,
    reason: remedy?.reason ?? (error instanceof Error ? error.message : String(error)),
    ...(remedy === undefined ? {} : { hint: remedy.hint }),
    cause: error,
  });
}

/**
 * Whether SQLite found the file itself to be wrong (SQLITE_CORRUPT). A file that is no database at
 * all (SQLITE_NOTADB) is damaged if it was ours: then there is a backup beside it.
 */
export function isDamage(error: unknown, file: string): boolean {
  const primary = (sqliteCode(error) ?? 0) & 0xff;
  return primary === 11 || (primary === 26 && existsSync(backupOf(file)));
}

/** What is wrong with a state's file that SQLite would not see, or would make worse; for people. */
export function faultBefore(file: string): string | undefined {
  if (existsSync(restoringOf(file))) return 'it was being restored, and that did not come to its end';
  return isEmptied(file) ? 'nothing is in it any more' : undefined;
}

/**
 * Whether a state was there and its file is empty. SQLite would take it for a fresh one, and delete its log.
 */
function isEmptied(file: string): boolean {
  const size = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  // In this order: of a state that is being made the first page is written before the others are there.
  const wasThere = size(`${file}-wal`) > 0 || existsSync(backupOf(file));
  return wasThere && existsSync(file) && size(file) === 0;
}

/** A file of the state that cannot be what was written. */
export function damaged(cause: unknown, action: string, file: string): VmplugError {
  return new VmplugError('state-damaged', {
    action,
    subject: file,
    reason: `the file is damaged: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: 'vmplug doctor --repair puts it aside and saves what can be read; do not delete it while VMs run',
    cause,
  });
}

/** What broke a transaction: an error of the state's, or what the work inside it threw. */
export function transactionError(error: unknown, action: string, file: string): unknown {
  if (error instanceof UnreadableRecord) return damaged(error, action, file);
  return isSqliteError(error) ? stateError(error, action, file) : error;
}

/** Whether `error` came from SQLite at all, and not from the work inside a transaction. */
function isSqliteError(error: unknown): boolean {
  return sqliteCode(error) !== undefined;
}

/** Whether another connection's lock was in the way (SQLITE_BUSY, in any of its extended forms). */
export function isBusy(error: unknown): boolean {
  return ((sqliteCode(error) ?? 0) & 0xff) === 5;
}

function sqliteCode(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode : undefined;
}

/**
 * What the file system has against it. SQLite says only that opening or input/output failed, and
 * Node's recursive `mkdir` says ENOENT on a read-only file system: then it is asked.
 */
function errnoBehind(error: unknown, file: string): string | undefined {
  const code = sqliteCode(error);
  const errno = errnoOf(error);
  if (code === undefined ? errno !== 'ENOENT' : !vague.has(code & 0xff)) return errno;
  try {
    const directory = existingAncestor(dirname(file));
    accessSync(directory, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize < leastRoom ? 'ENOSPC' : undefined;
  } catch (problem) {
    return errnoOf(problem);
  }
}

function existingAncestor(directory: string): string {
  return existsSync(directory) ? directory : existingAncestor(dirname(directory));
}

/** SQLITE_IOERR and SQLITE_CANTOPEN. */
const vague: ReadonlySet<number> = new Set([10, 14]);
/** What SQLite needs beside the database to open it: one piece of the index of its log. */
const leastRoom = 64 * 1024;

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
