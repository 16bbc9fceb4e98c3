import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseListeningSockets } from '../../src/host/proc-net-unix.ts';

/** A program that serves a vhost-user socket. It ends with its handle, and with this process however that ends. */
export interface BackEnd extends AsyncDisposable {
  /** For a `SOURCE`: `vhost-user-blk:SOCKET`. */
  readonly socket: string;
  readonly pid: number;
  /** When it has ended, by itself or not. */
  readonly ended: Promise<void>;
  /** What it has printed so far. */
  log(): string;
  /** Ends it at once, as a crash does, and waits until it is gone. */
  kill(): Promise<void>;
}

export interface BackEndProgram {
  readonly program: string;
  readonly args: readonly string[];
  readonly socket: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Milliseconds for a program to serve its socket, on a machine that has much else to do. */
const startMs = 60_000;

/**
 * Starts a back end and waits until its socket is served. That is read from the kernel's table: many back ends
 * serve one client only, so connecting would use them up.
 * @throws Error with what the program printed, if it ends before, or is not ready in time
 */
export async function startBackEnd({ program, args, socket, env }: BackEndProgram): Promise<BackEnd> {
  // What a client connects to is the file: one that was left would be taken for served.
  rmSync(socket, { force: true });
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
    // Some read commands from stdin, and end with it.
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const log = logOf(child);
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    rmSync(socket, { force: true });
  };
  try {
    await served(socket, child, () => `${[program, ...args].join(' ')}: ${log()}`);
  } catch (error) {
    await kill();
    throw error;
  }
  return { socket, pid: child.pid ?? 0, ended, log, kill, [Symbol.asyncDispose]: kill };
}

function logOf(child: ChildProcess): () => string {
  const pieces: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (bytes: Buffer) => pieces.push(bytes));
  child.on('error', (error) => pieces.push(Buffer.from(String(error))));
  child.stdin?.on('error', () => {});
  return () => Buffer.concat(pieces).toString('utf8');
}

async function served(socket: string, child: ChildProcess, words: () => string): Promise<void> {
  const deadline = performance.now() + startMs;
  while (!isServed(socket)) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
      throw new Error(`it has ended and never served ${socket}: ${words()}`);
    if (performance.now() > deadline) throw new Error(`it does not serve ${socket}: ${words()}`);
    await sleep(10);
  }
}

/** Whether a program listens on a socket that was bound to exactly this path. */
function isServed(path: string): boolean {
  return parseListeningSockets(readFileSync('/proc/net/unix', 'utf8')).some((socket) => socket.path === path);
}
