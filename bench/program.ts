import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { VmplugError } from '../src/api/errors.ts';

/** What a benchmark as a program is made of. */
export interface BenchProgram<Options> {
  readonly usage: string;
  /** Reads the command line; throws a TypeError that says what is wrong with it. */
  readonly read: (args: readonly string[]) => Options;
  /** Measures and prints; `signal` aborts when somebody ends the program. */
  readonly run: (options: Options, signal: AbortSignal) => Promise<void>;
}

/** To the terminal, past the figures. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Writes a file with figures or a plot and says so. */
export function writeResult(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  say(`wrote ${file}`);
}

/** Runs a benchmark with the command line of this process, which fails with exit code 1. */
export async function runProgram<Options>({ usage, read, run }: BenchProgram<Options>): Promise<void> {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => interrupt.abort(new Error(name)));
  let options: Options | undefined;
  try {
    options = read(process.argv.slice(2));
    await run(options, interrupt.signal);
  } catch (error) {
    process.exitCode = 1;
    if (options === undefined && error instanceof TypeError) say(`${error.message}\n\n${usage}`);
    else if (error instanceof VmplugError) say(`${error.message}\n  → ${error.hint ?? ''}`);
    else say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}
