import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long processes have to end after SIGKILL, in milliseconds. */
const endMs = 20_000;

/**
 * Ends what belongs to a directory and removes it: processes that name it or have something open in it, what is
 * mounted in it or from an image in it, loop devices of files in it.
 */
export async function removeLeftovers(directory: string): Promise<void> {
  const deadline = performance.now() + endMs;
  // One that starts another is seen before or after, so until nobody is left.
  for (let pids = processesOf(directory); pids.length > 0; pids = processesOf(directory)) {
    if (performance.now() > deadline) break;
    for (const pid of pids) attempt(() => process.kill(pid, 'SIGKILL'));
    await sleep(20);
  }
  const loops = loopsOf(directory);
  for (const point of mountsOf(readText('/proc/self/mountinfo'), directory, loops)) {
    attempt(() => execFileSync('umount', ['-l', point], { stdio: 'ignore' }));
  }
  for (const loop of loops) {
    if (readText('/proc/swaps').includes(`${loop} `)) attempt(() => execFileSync('swapoff', [loop]));
    attempt(() => execFileSync('losetup', ['-d', loop], { stdio: 'ignore' }));
  }
  attempt(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
}

/**
 * The processes that name a directory, or a path in it, in their arguments or environment, or that have a file or a
 * UNIX socket in it (proc(5)). This process is none of them.
 */
export function processesOf(directory: string): number[] {
  const sockets = socketsIn(readText('/proc/net/unix'), directory);
  return numbersIn('/proc').filter(
    (pid) => pid !== process.pid && belongs(`/proc/${pid}`, directory, sockets),
  );
}

function belongs(process: string, directory: string, sockets: ReadonlySet<string>): boolean {
  for (const name of ['cmdline', 'environ']) {
    if (names(readText(`${process}/${name}`), directory)) return true;
  }
  const links = [`${process}/cwd`, ...entriesOf(`${process}/fd`).map((fd) => `${process}/fd/${fd}`)];
  return links.some((link) => {
    const target = linkOf(link);
    return isIn(target, directory) || sockets.has(target);
  });
}

/** Whether a text has a path in a directory, or the directory itself, and not just one that begins like it. */
export function names(text: string, directory: string): boolean {
  for (let at = text.indexOf(directory); at !== -1; at = text.indexOf(directory, at + 1)) {
    const next = text.charAt(at + directory.length);
    if (!/[\w.-]/.test(next)) return true;
  }
  return false;
}

function isIn(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/** How `/proc/PID/fd` tells the UNIX sockets that are bound in a directory. */
export function socketsIn(table: string, directory: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const line of table.split('\n')) {
    const [, , , , , , inode, path] = line.trim().split(/ +/);
    if (inode !== undefined && path !== undefined && isIn(path, directory)) found.add(`socket:[${inode}]`);
  }
  return found;
}

/** Mount points in a directory, or of a loop device or its partitions, the last one first. */
export function mountsOf(mountinfo: string, directory: string, loops: readonly string[]): string[] {
  const found: string[] = [];
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const point = unescaped(before.split(' ')[4] ?? '');
    const [, source = ''] = after.split(' ');
    const ofLoop = loops.some((loop) => source === loop || source.startsWith(`${loop}p`));
    if (point !== '' && (isIn(point, directory) || ofLoop)) found.unshift(point);
  }
  return found;
}

/** The kernel writes blanks and backslashes of a path as three octal digits. */
function unescaped(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** Loop devices of files in a directory, which may be gone. */
export function loopsOf(directory: string): string[] {
  return entriesOf('/sys/block')
    .filter((name) => name.startsWith('loop'))
    .filter((name) => isIn(readText(`/sys/block/${name}/loop/backing_file`).trim(), directory))
    .map((name) => `/dev/${name}`);
}

/** What is gone, or not ours to see, has nothing to say. */
function readText(path: string): string {
  return attempt(() => readFileSync(path, 'utf8')) ?? '';
}

function linkOf(path: string): string {
  return attempt(() => readlinkSync(path)) ?? '';
}

function entriesOf(path: string): string[] {
  return attempt(() => readdirSync(path)) ?? [];
}

function numbersIn(path: string): number[] {
  return entriesOf(path).map(Number).filter(Number.isInteger);
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
