/** The part of /proc/<pid>/stat that tells one process from the next of the same number. */
export interface ProcStat {
  /** As the kernel has it, at most 15 bytes. */
  command: string;
  /** `R`, `S`, `D`, `Z`, … */
  state: string;
  parent: number;
  /** Clock ticks since boot, in decimal. */
  startTicks: string;
}

/**
 * Parses /proc/<pid>/stat (proc_pid_stat(5), fields 2, 3, 4 and 22). The command may contain
 * spaces and parentheses, so the fields are counted from the last closing one.
 */
export function parseProcStat(text: string): ProcStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const fields = text
    .slice(close + 1)
    .trim()
    .split(/\s+/);
  const [state, parent] = fields;
  const startTicks = fields[19];
  if (state === undefined || parent === undefined || startTicks === undefined || !/^\d+$/.test(startTicks))
    return undefined;
  return { command: text.slice(open + 1, close), state, parent: Number(parent), startTicks };
}
