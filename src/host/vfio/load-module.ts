import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { VmplugError } from '../../api/errors.ts';
import { errnoOf } from '../source-errors.ts';

/** Milliseconds for the kernel to load a module. */
const loadingMs = 30_000;

/**
 * Loads a module of the kernel with `modprobe` (modprobe(8)).
 * @throws VmplugError `missing-package`; `unsupported` with what modprobe says
 */
export async function loadModule(name: string): Promise<void> {
  try {
    await promisify(execFile)('modprobe', ['--', name], { timeout: loadingMs });
  } catch (cause) {
    const isMissing = errnoOf(cause) === 'ENOENT';
    throw new VmplugError(isMissing ? 'missing-package' : 'unsupported', {
      action: 'load the module',
      subject: name,
      reason: isMissing ? 'the program modprobe is not on the PATH' : wordsOf(cause),
      hint: isMissing ? 'install the package kmod' : `has this kernel the module? modinfo ${name}`,
      cause,
    });
  }
}

function wordsOf(error: unknown): string {
  const printed = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  if (printed !== '') return printed;
  return error instanceof Error ? error.message : String(error);
}
