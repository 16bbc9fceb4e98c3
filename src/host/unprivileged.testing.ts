import { chownSync } from 'node:fs';

/** `nobody` on Debian. */
const nobody = 65534;

/**
 * Runs `work` as a user without rights: as `nobody` where root runs the tests, to whom `paths` are given
 * first. Root would be allowed everything, and the check would see nothing.
 */
export async function unprivileged<T>(paths: readonly string[], work: () => Promise<T> | T): Promise<T> {
  if (process.getuid?.() !== 0) return work();
  for (const path of paths) chownSync(path, nobody, nobody);
  process.setegid?.(nobody);
  process.seteuid?.(nobody);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}
