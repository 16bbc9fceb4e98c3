import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { VmplugError } from '../../api/errors.ts';
import { makeDirectories } from '../make-directories.ts';

/** The name of every document. */
export const persistFile = 'persist.json';
/** Of every directory that v1 makes. */
export const directoryMode = 0o700;

/**
 * The directory of a sandbox or a container, by its id.
 * @throws VmplugError `invalid-argument` for an id that is no name of a directory
 */
export function idDirectory(parent: string, id: string): string {
  if (!isDirectoryName(id)) {
    throw new VmplugError('invalid-argument', {
      action: 'find the saved state of',
      subject: id,
      reason: id === '' ? 'an id is needed' : 'an id is the name of one directory',
    });
  }
  return join(parent, id);
}

const longestName = 255;

/** Whether an id can be the name of a directory, as those of all sandboxes and containers of v1 are. */
export function isDirectoryName(id: string): boolean {
  return !['', '.', '..'].includes(id) && !/[/\0]/.test(id) && Buffer.byteLength(id) <= longestName;
}

/**
 * The path of a file below `root`.
 * @throws VmplugError `invalid-argument` when it would be elsewhere (W97)
 */
export function pathBelow(root: string, relativePath: string): string {
  const path = resolve(root, relativePath);
  if (!path.startsWith(`${resolve(root)}${sep}`) || path.includes('\0')) throw outside(root, relativePath);
  return path;
}

/**
 * As {@link pathBelow}, and makes the directory of the file. Symbolic links don't lead out of `root` either.
 * @throws VmplugError `invalid-argument`
 */
export async function makePathBelow(root: string, relativePath: string): Promise<string> {
  const path = pathBelow(root, relativePath);
  makeDirectories(root, directoryMode);
  // Before anything is made: what is made below a directory that is there is there too.
  await checkRealPath(root, existingAncestor(dirname(path)), relativePath);
  makeDirectories(dirname(path), directoryMode);
  return path;
}

function existingAncestor(directory: string): string {
  return existsSync(directory) ? directory : existingAncestor(dirname(directory));
}

/** @throws VmplugError `invalid-argument` when `path`, which exists, is in truth not below `root` */
export async function checkRealPath(root: string, path: string, relativePath: string): Promise<void> {
  const real = await realpath(path);
  const realRoot = await realpath(root);
  if (real !== realRoot && !real.startsWith(`${realRoot}${sep}`)) throw outside(root, relativePath);
}

function outside(root: string, relativePath: string): VmplugError {
  return new VmplugError('invalid-argument', {
    action: 'find the file',
    subject: relativePath,
    reason: `it is not below ${root}`,
    hint: 'give a path relative to the root, without leaving it',
  });
}
