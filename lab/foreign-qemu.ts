import { spawn } from 'node:child_process';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureGuestImage, waitForGuest } from './guest/index.ts';
import { labGuest, type LabGuest } from './guests.ts';
import { ensureQemu10 } from './setup/qemu10.ts';

/** A VM that somebody else started: `vmplug` knows nothing of it. */
export interface ForeignQemu extends AsyncDisposable {
  readonly qmp: string;
  readonly exec: string;
  readonly pid: number;
  /** What its guest has written to its console. */
  readonly console: string;
  /** Settles when QEMU has ended, by itself or not. */
  readonly ended: Promise<void>;
}

export interface ForeignOptions {
  /** False: until the QMP socket is there. Default: until the guest answers. */
  readonly waits?: boolean;
  /** Added to the kernel's command line. */
  readonly append?: string;
  /** Whose memory is a file that other processes can map, as vhost-user needs it. */
  readonly sharedMemory?: boolean;
  /** Where QEMU's own words go. Default: to those of the test. */
  readonly stderr?: 'inherit' | 'ignore';
  /** Default: the system's. */
  readonly qemu?: LabGuest['qemu'];
  /** Whether a reset of the guest starts it anew, as on most hosts. Default: it ends QEMU. */
  readonly reboots?: boolean;
  /** Default: a path of its own, in the directory. */
  readonly qmp?: string;
  /** `512M`. Default: what the guest needs. */
  readonly memory?: string;
}

/**
 * Starts QEMU with the lab guest by hand, on a machine that `args` say from the ground up, and
 * waits until the guest answers. It ends with its handle.
 */
export async function startForeignQemu(
  directory: string,
  args: readonly string[],
  options: ForeignOptions = {},
): Promise<ForeignQemu> {
  const { qemu = 'system' } = options;
  return await start(directory, { ...labGuest('pc'), qemu, machine: ['-cpu', 'max'] }, args, options);
}

/**
 * The same on one of the lab's machines, with more arguments.
 *
 * @param name a `GuestName`
 * @throws VmplugError `missing-package` when its QEMU or its guest cannot be had, `invalid-argument` for another name
 */
export async function startLabGuest(
  directory: string,
  name: string,
  args: readonly string[] = [],
  options: ForeignOptions = {},
): Promise<ForeignQemu> {
  return await start(directory, labGuest(name), args, options);
}

async function start(
  directory: string,
  guest: LabGuest,
  args: readonly string[],
  options: ForeignOptions,
): Promise<ForeignQemu> {
  const program = guest.qemu === '10' ? (await ensureQemu10()).wrapper : guest.program;
  const image = await ensureGuestImage(guest.image);
  const at = (name: string): string => join(directory, `foreign.${name}`);
  const [qmp, exec, console] = [options.qmp ?? at('qmp'), at('exec'), at('console')];
  const memory = options.memory ?? guest.memory;
  const child = spawn(
    program,
    [
      ...['-nodefaults', '-display', 'none', '-accel', 'tcg,thread=multi'],
      ...(options.reboots === true ? [] : ['-no-reboot']),
      ...guest.machine,
      ...['-m', memory, ...(options.sharedMemory === true ? shared(memory) : [])],
      ...['-kernel', image.kernel, '-initrd', image.initrd],
      ...['-append', `${guest.append} panic=-1 quiet ${options.append ?? ''}`],
      ...['-serial', `file:${console}`, ...execPort(guest, exec)],
      ...['-qmp', `unix:${qmp},server=on,wait=off`, ...args],
    ],
    { stdio: ['ignore', 'ignore', options.stderr ?? 'inherit'] },
  );
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
  const end = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  try {
    await waitForSocket(qmp, ended);
    if (options.waits !== false) await waitForGuest(exec, { timeoutMs: 120_000 });
  } catch (error) {
    await end();
    throw error;
  }
  return { qmp, exec, console, pid: child.pid ?? 0, ended, [Symbol.asyncDispose]: end };
}

function shared(memory: string): string[] {
  return [
    '-object',
    `memory-backend-memfd,id=ram0,size=${memory},share=on`,
    '-machine',
    'memory-backend=ram0',
  ];
}

function execPort({ execController }: LabGuest, exec: string): string[] {
  if (execController === undefined) return ['-serial', `unix:${exec},server=on,wait=off`];
  return [
    ...['-device', `${execController},id=exec`],
    ...['-chardev', `socket,id=exec,path=${exec},server=on,wait=off`],
    ...['-device', 'virtserialport,bus=exec.0,chardev=exec,name=vmplug.exec'],
  ];
}

/** Waits until somebody listens on a socket, or until who should have has ended. */
export async function waitForSocket(path: string, ended: Promise<void>): Promise<void> {
  const over = new AbortController();
  void ended.then(() => over.abort());
  while (!over.signal.aborted) {
    const listening = await new Promise<boolean>((resolve) => {
      const socket = createConnection(path);
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('close', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (listening) return;
    await sleep(10);
  }
  throw new Error(`QEMU ended before ${path} was there`);
}
