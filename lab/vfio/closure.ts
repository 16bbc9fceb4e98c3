import { realpath } from 'node:fs/promises';
import { runProgram } from '../guest/run-program.ts';

/**
 * The shared libraries that programs need, by the paths at which the loader looks for them, each with the file
 * that is there; the loader itself is one of them (ldd(1)).
 *
 * @throws VmplugError `start-failed` with the words of ldd.
 */
export async function librariesOf(programs: readonly string[]): Promise<Map<string, string>> {
  const libraries = new Map<string, string>();
  for (const program of programs) {
    const text = (await runProgram('ldd', [program])).toString();
    for (const path of librariesIn(text)) libraries.set(path, await realpath(path));
  }
  return libraries;
}

/**
 * The paths in what ldd prints: `libc.so.6 => /lib/libc.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)`.
 *
 * @throws Error for a library that is not found.
 */
export function librariesIn(text: string): string[] {
  const missing = /^\s*(\S+) => not found/m.exec(text);
  if (missing !== null) throw new Error(`the library ${missing[1] ?? ''} is missing`);
  return [...text.matchAll(/(?:^|=>)\s*(\/\S+) \(0x/gm)].map(([, path = '']) => path);
}
