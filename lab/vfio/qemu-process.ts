import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { QmpConnection } from '../../src/hypervisors/qemu/index.ts';

/** A QEMU of the lab with its monitor. It ends with its handle, and with this process, however that ends. */
export interface QemuProcess extends AsyncDisposable {
  readonly pid: number;
  readonly qmp: QmpConnection;
  /** The end of what it wrote to stderr. */
  said(): string;
}

const startMs = 60_000;

/**
 * Starts QEMU and connects to its monitor.
 *
 * @throws Error with what QEMU said when it ends before.
 */
export async function startQemuProcess(
  qemu: string,
  args: readonly string[],
  qmpSocket: string,
): Promise<QemuProcess> {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', qemu, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let words = '';
  child.stderr.on('data', (bytes: Buffer) => (words = (words + bytes.toString()).slice(-4000)));
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      words += error.message;
      resolve();
    });
    child.once('exit', () => resolve());
  });
  const end = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  try {
    const qmp = await connect(qmpSocket, () => child.exitCode !== null || child.pid === undefined);
    return {
      pid: child.pid ?? 0,
      qmp,
      said: () => words,
      async [Symbol.asyncDispose]() {
        await qmp.close();
        await end();
      },
    };
  } catch (cause) {
    await end();
    throw new Error(`QEMU did not start: ${words}`, { cause });
  }
}

async function connect(socket: string, ended: () => boolean): Promise<QmpConnection> {
  const deadline = performance.now() + startMs;
  while (!existsSync(socket) && !ended() && performance.now() < deadline) await sleep(10);
  return await QmpConnection.connect(socket, { timeoutMs: startMs });
}
