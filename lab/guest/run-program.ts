import { spawn } from 'node:child_process';
import { VmplugError } from '../../src/api/errors.ts';

export interface RunProgramOptions {
  cwd?: string;
  signal?: AbortSignal | undefined;
  /** Called with what the program prints on stderr, and on stdout as well if `follow` is set. */
  onOutput?: ((text: string) => void) | undefined;
  follow?: boolean;
  env?: Readonly<Record<string, string>>;
}

/**
 * Runs a program to its end, in the C locale, and returns what it printed on stdout.
 *
 * @throws VmplugError `missing-package` if there is no such program, `aborted`, or `start-failed` with the
 * last lines of its stderr if it fails.
 */
export function runProgram(
  program: string,
  args: readonly string[],
  options: RunProgramOptions = {},
): Promise<Buffer> {
  const { cwd, signal, onOutput, follow } = options;
  const subject = [program, ...args].join(' ');
  return new Promise((resolve, reject) => {
    const stdout: Buffer[] = [];
    let stderr = '';
    const child = spawn(program, args, {
      cwd,
      signal,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C', ...options.env },
    });
    child.stdout.on('data', (bytes: Buffer) => {
      stdout.push(bytes);
      if (follow === true) onOutput?.(bytes.toString());
    });
    child.stderr.on('data', (bytes: Buffer) => {
      stderr = (stderr + bytes.toString()).slice(-4000);
      onOutput?.(bytes.toString());
    });
    child.on('error', (cause: NodeJS.ErrnoException) => {
      if (signal?.aborted === true) {
        reject(new VmplugError('aborted', { action: 'run', subject, reason: 'the caller gave up', cause }));
      } else if (cause.code === 'ENOENT') {
        reject(
          new VmplugError('missing-package', {
            action: 'run',
            subject,
            reason: `there is no ${program} here`,
            cause,
          }),
        );
      } else {
        reject(new VmplugError('start-failed', { action: 'run', subject, reason: cause.message, cause }));
      }
    });
    child.on('close', (code, killedBy) => {
      if (code === 0) {
        resolve(Buffer.concat(stdout));
        return;
      }
      const end = code === null ? `was ended by ${killedBy ?? 'a signal'}` : `ended with exit code ${code}`;
      const words = stderr.trim().split('\n').slice(-5).join('\n');
      reject(
        new VmplugError('start-failed', {
          action: 'run',
          subject,
          reason: words === '' ? `it ${end}` : `it ${end}: ${words}`,
          facts: { exitCode: code },
        }),
      );
    });
  });
}
