import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { VmplugError } from '../../api/errors.ts';
import type { ExchangeOptions } from '../../api/hypervisor.ts';
import { qemuArguments, type QemuMachine } from './command-line.ts';
import { QemuHypervisor } from './qemu-hypervisor.ts';

export interface StartedQemu {
  readonly pid: number;
  readonly hypervisor: QemuHypervisor;
}

const retryMs = 20;

/**
 * Starts a QEMU that outlives this process, and connects to it. When it does not come up, it
 * is ended again.
 * @throws VmplugError `missing-package`; `start-failed` with QEMU's own words; `deadline-passed`
 */
export async function startQemu(
  vm: QemuMachine,
  options: ExchangeOptions & { readonly binary: string; readonly log: string },
): Promise<StartedQemu> {
  const args = qemuArguments(vm);
  const log = openSync(options.log, 'a', 0o600);
  const child = spawn(options.binary, args, {
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = new Promise<VmplugError>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ENOENT' ? missing(options.binary) : failed(vm, error.message, error));
    });
    child.once('exit', (code, signal) => {
      resolve(failed(vm, lastWords(options.log) ?? `it ended with ${signal ?? code}`));
    });
  });
  try {
    const hypervisor = await connectWhenUp(vm.qmpSocket, ended, options);
    if (child.pid === undefined) throw await ended;
    child.unref();
    return { pid: child.pid, hypervisor };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    child.removeAllListeners();
  }
}

async function connectWhenUp(
  socket: string,
  ended: Promise<VmplugError>,
  options: ExchangeOptions,
): Promise<QemuHypervisor> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    const attempt = QemuHypervisor.connect(socket, {
      ...options,
      timeoutMs: Math.max(1, deadline - performance.now()),
    });
    const first = await Promise.race([
      attempt.then(
        (hypervisor) => ({ hypervisor }),
        (error: unknown) => ({ error }),
      ),
      ended.then((error) => ({ ended: error })),
    ]);
    if ('hypervisor' in first) return first.hypervisor;
    if ('ended' in first) throw first.ended;
    const notYet = first.error instanceof VmplugError && first.error.code === 'vm-gone';
    if (!notYet || performance.now() >= deadline) throw first.error;
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

function lastWords(log: string): string | undefined {
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  const last = lines.slice(-3).join('; ');
  return last === '' ? undefined : last;
}

function failed(vm: QemuMachine, reason: string, cause?: unknown): VmplugError {
  return new VmplugError('start-failed', {
    action: 'start QEMU for',
    subject: vm.name,
    reason,
    hint: 'nothing was left behind',
    ...(cause === undefined ? {} : { cause }),
  });
}

function missing(binary: string): VmplugError {
  return new VmplugError('missing-package', {
    action: 'start',
    subject: binary,
    reason: 'it is not installed',
    hint: 'on Debian: apt-get install qemu-system-x86',
  });
}
