import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Makes a directory for temporary files of which nothing is left when this process ends, even by SIGKILL: a process
 * of its own then ends what belongs to it, as `removeLeftovers` does.
 *
 * @param prefix the path up to what makes it unique; a relative one is in the system's temporary directory
 */
export function guardedDirectory(prefix: string): string {
  const path = mkdtempSync(prefix.startsWith('/') ? prefix : join(tmpdir(), prefix));
  guardDirectory(path);
  return path;
}

/** The same for a directory that is there. */
export function guardDirectory(path: string): void {
  tell(`+${path}\n`);
}

/** Says that a guarded directory has been removed, with all that belonged to it. */
export function releaseDirectory(path: string): void {
  tell(`-${path}\n`);
}

let guard: ChildProcess | undefined;

function tell(line: string): void {
  guard ??= start();
  guard.stdin?.write(line);
}

function start(): ChildProcess {
  const program = fileURLToPath(new URL('program.ts', import.meta.url));
  // In a session of its own, so that what ends a test run by its process group or terminal leaves it.
  const child = spawn(process.execPath, [program], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  // It is not what keeps this process running.
  if (child.stdin instanceof Socket) child.stdin.unref();
  return child;
}
