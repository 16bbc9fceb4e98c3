import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from './v1/storage-error.ts';

/**
 * Makes a directory and those above it; one that is there is left as it is. Node's own `recursive` never ends
 * where the system says ENOENT though the parent is there, as below /proc.
 * @throws the system's error
 */
export function makeDirectories(path: string, mode: number): void {
  const parent = dirname(path);
  if (!existsSync(parent)) makeDirectories(parent, mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST' || !statSync(path).isDirectory()) throw error;
  }
}
