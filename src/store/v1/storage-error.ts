import { VmplugError } from '../../api/errors.ts';

/** What the file system has against `path`, as a typed error. */
export function storageError(error: unknown, action: string, path: string): VmplugError {
  if (error instanceof VmplugError) return error;
  const errno = errnoOf(error) ?? '';
  return new VmplugError(errno === 'ENOENT' ? 'source-not-found' : 'state-unavailable', {
    action,
    subject: path,
    reason: reasons[errno] ?? (error instanceof Error ? error.message : String(error)),
    ...(errno === 'ENOSPC' ? { hint: 'free some space; what was saved before is untouched' } : {}),
    cause: error,
  });
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory',
  ENOTDIR: 'a part of its path is not a directory',
  EISDIR: 'it is a directory',
  EACCES: 'this user is not allowed to use it',
  EPERM: 'the system does not permit it',
  EROFS: 'it is on a read-only file system',
  ENOSPC: 'no space is left on the disk',
  EDQUOT: 'the quota of the disk is used up',
  ENAMETOOLONG: 'its path is too long',
  ELOOP: 'its symbolic links go in a circle',
};

/** The `code` of a system error (`ENOENT`), if it is one. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** Whether the system says that there is no such file. */
export function isMissing(error: unknown): boolean {
  return errnoOf(error) === 'ENOENT';
}
