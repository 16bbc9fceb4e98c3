/** How long one test file took, in milliseconds. */
export interface FileTime {
  readonly file: string;
  readonly ms: number;
}

/** Files that took less are told together. */
const shortMs = 1000;

/** How long each part of a run took, a line each, longest first. */
export function timingLines(times: readonly FileTime[]): string[] {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`.padStart(9);
  const long = times.filter(({ ms }) => ms >= shortMs).toSorted((a, b) => b.ms - a.ms);
  const short = times.filter(({ ms }) => ms < shortMs);
  const rest = short.reduce((sum, { ms }) => sum + ms, 0);
  return [
    ...long.map(({ file, ms }) => `${seconds(ms)}  ${file}`),
    ...(short.length === 0 ? [] : [`${seconds(rest)}  ${short.length} files of less than a second each`]),
  ];
}
