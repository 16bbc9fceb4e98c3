import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { runOnFile } from './run-on-file.ts';

/**
 * Reads and writes attributes of a device that may be changing hands. The kernel holds the
 * device's lock while its driver lets go, so that even reading `driver_override` can block.
 */
export interface SysfsIo {
  /** @throws as {@link SysfsIo.write} */
  read(path: string): Promise<string>;
  /**
   * Writes `text` to a file that exists, with one write(2), as v1's `WriteToFile`: the file is
   * neither created nor truncated.
   * @throws what the system says; VmplugError `deadline-passed` when the kernel is still at it
   */
  write(path: string, text: string): Promise<void>;
}

/** The real one. What changes a driver takes as long as the driver does: 30 s at most by default. */
export function sysfsIo({ timeoutMs = 30_000 }: { readonly timeoutMs?: number } = {}): SysfsIo {
  return {
    async read(path) {
      await using file = await open(path, constants.O_RDONLY);
      return await runOnFile(path, ['cat'], { stdin: file.fd }, timeoutMs);
    },
    async write(path, text) {
      await using file = await open(path, constants.O_WRONLY);
      await runOnFile(path, ['printf', '%s', text], { stdout: file.fd }, timeoutMs);
    },
  };
}
