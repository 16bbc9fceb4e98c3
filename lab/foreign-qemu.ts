import { spawn } from 'node:child_process';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { ensureGuestImage, waitForGuest } from './guest/index.ts';

/** A VM that somebody else started: `vmplug` knows nothing of it. */
export interface ForeignQemu extends AsyncDisposable {
  readonly qmp: string;
  readonly exec: string;
  readonly pid: number;
}

/**
 * Starts QEMU with the lab guest by hand, with the devices and globals that `args` say, and
 * waits until the guest answers (`waits: false`: until the QMP socket is there). It ends with its handle.
 */
export async function startForeignQemu(
  directory: string,
  args: readonly string[],
  options: { readonly waits?: boolean; readonly append?: string } = {},
): Promise<ForeignQemu> {
  const image = await ensureGuestImage();
  const [qmp, exec] = [join(directory, 'foreign.qmp'), join(directory, 'foreign.exec')];
  const child = spawn(
    'qemu-system-x86_64',
    [
      ...['-nodefaults', '-display', 'none', '-no-reboot', '-accel', 'tcg,thread=multi', '-cpu', 'max'],
      ...['-m', '256M', '-kernel', image.kernel, '-initrd', image.initrd],
      ...['-append', `console=ttyS0 panic=-1 quiet ${options.append ?? ''}`, '-serial', 'null'],
      ...['-serial', `unix:${exec},server=on,wait=off`, '-qmp', `unix:${qmp},server=on,wait=off`, ...args],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const end = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  try {
    await waitForSocket(qmp, ended);
    if (options.waits !== false) await waitForGuest(exec, { timeoutMs: 60_000 });
  } catch (error) {
    await end();
    throw error;
  }
  return { qmp, exec, pid: child.pid ?? 0, [Symbol.asyncDispose]: end };
}

/** Waits until somebody listens on a socket, or until who should have has ended. */
async function waitForSocket(path: string, ended: Promise<void>): Promise<void> {
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
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`QEMU ended before ${path} was there`);
}
