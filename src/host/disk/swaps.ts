import { decodeOctal } from '../mountinfo.ts';

/** The paths in /proc/swaps (proc_swaps(5)), of partitions and files alike. */
export function parseSwaps(text: string): string[] {
  const paths: string[] = [];
  for (const line of text.split('\n').slice(1)) {
    const path = line.split(/[ \t]/, 1)[0];
    if (path !== undefined && path !== '') paths.push(decodeOctal(path));
  }
  return paths;
}
