import { VmplugError } from '../api/errors.ts';

/** SQLite's primary result codes (https://sqlite.org/rescode.html) that a user can do something about. */
const remedies: Readonly<Record<number, { reason: string; hint: string }>> = {
  5: { reason: 'another process kept it locked', hint: 'try again; `vmplug sandbox ls` shows what runs' },
  8: { reason: 'it is read-only', hint: 'make it writable, or choose another with --state-dir' },
  10: { reason: 'reading or writing it failed', hint: 'check the disk; the kernel log says more' },
  11: { reason: 'the file is damaged', hint: 'restore it from a backup; do not delete it while VMs run' },
  13: { reason: 'no space is left on the disk', hint: 'free some space and run the command again' },
  14: { reason: 'it cannot be opened or made', hint: 'check its permissions, or choose another with --state-dir' },
  26: { reason: 'the file is not a vmplug state', hint: 'choose another directory with --state-dir' },
};

/** Turns what SQLite throws into a typed error that names the state's file. */
export function stateError(error: unknown, action: string, file: string): VmplugError {
  if (error instanceof VmplugError) return error;
  const code = sqliteCode(error);
  const remedy = code === undefined ? undefined : remedies[code & 0xff];
  return new VmplugError('state-unavailable', {
    action,
    subject: file,
    reason: remedy?.reason ?? (error instanceof Error ? error.message : String(error)),
    ...(remedy === undefined ? {} : { hint: remedy.hint }),
    cause: error,
  });
}

/** Whether `error` came from SQLite at all, and not from the work inside a transaction. */
export function isSqliteError(error: unknown): boolean {
  return sqliteCode(error) !== undefined;
}

function sqliteCode(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode : undefined;
}
