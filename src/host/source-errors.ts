import type { ErrorCode } from '../api/error-codes.ts';
import { VmplugError } from '../api/errors.ts';

const action = 'use as a disk';

/** The host device exists and cannot be plugged: `source-unsuitable`. */
export function unsuitable(subject: string, reason: string, hint?: string, cause?: unknown): VmplugError {
  return sourceError('source-unsuitable', subject, reason, hint, cause);
}

/** An error about a disk source, in one form. */
export function sourceError(
  code: ErrorCode,
  subject: string,
  reason: string,
  hint?: string,
  cause?: unknown,
): VmplugError {
  return new VmplugError(code, {
    action,
    subject,
    reason,
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}

interface Wording {
  code: ErrorCode;
  reason: string;
  hint?: string;
}

const wordings: Readonly<Record<string, Wording>> = {
  ENOENT: { code: 'source-not-found', reason: 'no such file or device' },
  ENOTDIR: { code: 'source-not-found', reason: 'a part of the path is not a directory' },
  ENAMETOOLONG: { code: 'invalid-argument', reason: 'the path, or a name in it, is too long' },
  ELOOP: { code: 'source-unsuitable', reason: 'its symbolic links go in a circle' },
  EACCES: {
    code: 'source-unsuitable',
    reason: 'this user is not allowed to open it',
    hint: 'run as a user who may, or change its owner or mode (and those of the directories above it)',
  },
  EPERM: {
    code: 'source-unsuitable',
    reason: 'the system does not permit opening it',
    hint: 'see whether the file is immutable (lsattr), or the device is denied to this control group',
  },
  EROFS: {
    code: 'source-unsuitable',
    reason: 'it is on a read-only file system',
    hint: 'attach it with --read-only',
  },
  ETXTBSY: { code: 'source-unsuitable', reason: 'it is being run as a program or used as swap space' },
  ENXIO: { code: 'source-unsuitable', reason: 'there is no device behind this node' },
  ENODEV: { code: 'source-unsuitable', reason: 'there is no device behind this node' },
  ENOMEDIUM: { code: 'source-unsuitable', reason: 'the drive has no medium' },
  EIO: { code: 'source-unsuitable', reason: 'reading it fails with an input/output error' },
};

/** The system's refusal about `subject` as a typed error. */
export function systemError(subject: string, error: unknown): VmplugError {
  if (error instanceof VmplugError) return error;
  const code = errnoOf(error);
  const wording = code === undefined ? undefined : wordings[code];
  if (wording !== undefined) return sourceError(wording.code, subject, wording.reason, wording.hint, error);
  const words = error instanceof Error ? error.message : String(error);
  return unsuitable(subject, `the system refuses it: ${words}`, undefined, error);
}

/** The `code` of a system error (`ENOENT`), if it is one. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
