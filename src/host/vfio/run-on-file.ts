import { spawn } from 'node:child_process';
import { VmplugError } from '../../api/errors.ts';
import { errnoOf } from '../source-errors.ts';

/**
 * Runs a program of coreutils on an open file, as its input or its output, and returns what else
 * it writes. For files of the kernel that may block for ever, even against SIGKILL: a thread
 * of this process that is caught in one could never end, nor the process with it.
 * @param path the file's, for errors
 * @throws VmplugError `deadline-passed`, the program goes on then; `missing-package`; otherwise
 * an Error with the program's words
 */
export function runOnFile(
  path: string,
  [program, ...args]: readonly [string, ...string[]],
  { stdin, stdout }: { readonly stdin?: number; readonly stdout?: number },
  timeoutMs: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: [stdin ?? 'ignore', stdout ?? 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    });
    const printed = collect(child.stdout);
    const words = collect(child.stderr);
    const timer = setTimeout(() => {
      child.unref();
      child.stdout?.destroy();
      child.stderr?.destroy();
      reject(notDone(path, timeoutMs));
    }, timeoutMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(errnoOf(error) === 'ENOENT' ? notInstalled(path, program, error) : error);
    });
    child.once('close', (status, signal) => {
      clearTimeout(timer);
      if (status === 0) resolve(printed.join(''));
      else reject(new Error(words.join('').trim() || `${program} ended with ${signal ?? status}`));
    });
  });
}

function collect(stream: NodeJS.ReadableStream | null): string[] {
  const parts: string[] = [];
  stream?.setEncoding('utf8').on('data', (part: string) => parts.push(part));
  return parts;
}

function notDone(path: string, timeoutMs: number): VmplugError {
  return new VmplugError('deadline-passed', {
    action: 'reach the kernel through',
    subject: path,
    reason: `it has not answered after ${timeoutMs} ms, and goes on with it`,
    hint: 'a driver that does not let go of a device usually waits for a program that has it open',
  });
}

function notInstalled(path: string, program: string, cause: unknown): VmplugError {
  return new VmplugError('missing-package', {
    action: 'reach the kernel through',
    subject: path,
    reason: `the program ${program} is not on the PATH`,
    hint: 'install the package coreutils',
    cause,
  });
}
