import { readFileSync } from 'node:fs';

/** Resident memory of a QEMU, in bytes, by what it is for. */
export interface QemuMemory {
  readonly own: number;
  readonly code: number;
  readonly guest: number;
}

/** Looks at a QEMU under TCG whose guest's memory is a memfd. */
export function qemuMemory(pid: number): QemuMemory {
  return readSmaps(readFileSync(`/proc/${pid}/smaps`, 'utf8'));
}

/**
 * Sums up `/proc/PID/smaps` (proc_pid_smaps(5)): the guest's memory is what is mapped of memfds,
 * TCG's code is what is anonymous and may be executed, and its own is what is anonymous else.
 */
export function readSmaps(text: string): QemuMemory {
  const sums = { own: 0, code: 0, guest: 0 };
  let mapping = { isExecutable: false, path: '' };
  for (const line of text.split('\n')) {
    const head = /^[0-9a-f]+-[0-9a-f]+ (\S{4}) \S+ \S+ \d+ *(.*)$/.exec(line);
    if (head !== null) mapping = { isExecutable: head[1]?.[2] === 'x', path: head[2] ?? '' };
    const field = /^(Rss|Anonymous): +(\d+) kB$/.exec(line);
    if (field === null) continue;
    const bytes = Number(field[2]) * 1024;
    const isGuest = mapping.path.startsWith('/memfd:');
    if (isGuest && field[1] === 'Rss') sums.guest += bytes;
    if (isGuest || field[1] !== 'Anonymous') continue;
    sums[mapping.isExecutable && mapping.path === '' ? 'code' : 'own'] += bytes;
  }
  return sums;
}
