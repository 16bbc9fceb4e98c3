import { lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import type { VmplugError } from '../api/errors.ts';
import type { HostPaths } from './host-paths.ts';
import { errnoOf, sourceError, systemError, unsuitable } from './source-errors.ts';

/**
 * The absolute path of a disk source with all symbolic links resolved. Waits on the file system
 * off the main thread, so that a dead network mount holds up this one call only.
 * @throws `invalid-argument`, `source-not-found`, `source-unsuitable`, `aborted`
 */
export async function realSourcePath(
  source: string,
  options: { cwd: string; paths: HostPaths; signal: AbortSignal | undefined },
): Promise<string> {
  if (source === '') throw sourceError('invalid-argument', source, 'the path is empty');
  if (source.includes('\0'))
    throw sourceError('invalid-argument', source, 'a path cannot contain a NUL byte');
  const absolute = absolutePath(source, options.cwd);
  try {
    return checked(source, await unlessAborted(source, realpath(absolute), options.signal), options.paths);
  } catch (error) {
    throw explained(source, absolute, error);
  }
}

/** As {@link realSourcePath}, for the images below the first: synchronous, an absolute path. */
export function realLayerPath(path: string, paths: HostPaths): string {
  try {
    return checked(path, realpathSync.native(path), paths);
  } catch (error) {
    throw explained(path, path, error);
  }
}

/** Joined, not normalised: `link/..` is where the link leads, as for every other program. */
export function absolutePath(path: string, directory: string): string {
  return path.startsWith('/') ? path : `${directory}/${path}`;
}

function checked(source: string, real: string, paths: HostPaths): string {
  // Node replaces bytes that are not UTF-8; the path would name something else.
  if (real.includes('\uFFFD')) throw unsuitable(source, 'its real path is not valid UTF-8', 'rename it');
  if (real.startsWith(`${paths.proc}/`) || real.startsWith(`${paths.sys}/`))
    throw unsuitable(source, 'it belongs to the kernel and is no disk image');
  return real;
}

function explained(source: string, absolute: string, error: unknown): VmplugError {
  if (errnoOf(error) !== 'ENOENT') return systemError(source, error);
  try {
    if (lstatSync(absolute).isSymbolicLink()) {
      const target = readlinkSync(absolute);
      return sourceError(
        'source-not-found',
        source,
        `it is a symbolic link to ${target}, which leads nowhere`,
        undefined,
        error,
      );
    }
  } catch {
    // Not even a link.
  }
  return systemError(source, error);
}

function unlessAborted<T>(source: string, work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void =>
      reject(
        sourceError(
          'aborted',
          source,
          'given up while waiting for the file system',
          undefined,
          signal.reason,
        ),
      );
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
