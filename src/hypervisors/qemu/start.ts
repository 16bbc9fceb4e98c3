import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { VmplugError } from '../../api/errors.ts';
import type { ExchangeOptions } from '../../api/hypervisor.ts';
import { inheriting } from './boot-arguments.ts';
import { qemuArguments, type QemuMachine } from './command-line.ts';
import { connectWhenUp } from './connect-when-up.ts';
import { checkProgram } from './programs.ts';
import type { QemuHypervisor } from './qemu-hypervisor.ts';

export interface StartedQemu {
  readonly pid: number;
  readonly hypervisor: QemuHypervisor;
}

export interface StartOptions extends ExchangeOptions {
  readonly binary: string;
  /** Where QEMU's own words go. */
  readonly log: string;
  /** Told which process it will be, before anything of QEMU runs. */
  readonly onProcess?: (pid: number) => void;
  /** What the plans of its devices hand over, by the VMM's name of the device. */
  readonly connections?: ReadonlyMap<string, Socket>;
}

/** Becomes QEMU when it is told to; ends when nobody is left to tell it. */
const gate = 'read -r go && exec "$0" "$@" </dev/null';

/**
 * Starts a QEMU that outlives this process, and connects to it. When it does not come up, it
 * is ended again. If this process is killed before `onProcess` has returned, there is no QEMU.
 * @throws VmplugError `missing-package`; `start-failed` with QEMU's own words; `deadline-passed`;
 *   what `onProcess` throws
 */
export async function startQemu(vm: QemuMachine, options: StartOptions): Promise<StartedQemu> {
  const args = qemuArguments(vm);
  checkProgram(options.binary, vm);
  const inherited = inheritedBy(vm, options);
  const log = openLog(options.log, vm.name);
  const child = spawn('/bin/sh', ['-c', gate, options.binary, ...args], {
    detached: true,
    stdio: ['pipe', log, log, ...inherited],
  });
  closeSync(log);
  const ended = endOf(child, vm.name, options.log);
  try {
    if (child.pid === undefined) throw await ended;
    options.onProcess?.(child.pid);
    // What is not read any more is of no interest: then it has ended, and says why.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end('go\n');
    const hypervisor = await connectWhenUp(vm.qmpSocket, ended, options);
    child.unref();
    return { pid: child.pid, hypervisor };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    child.removeAllListeners();
  }
}

function openLog(path: string, name: string): number {
  try {
    return openSync(path, 'a', 0o600);
  } catch (error) {
    throw failed(name, error instanceof Error ? error.message : String(error), error);
  }
}

/** Of each the process gets a descriptor of its own, which the shell passes on. */
function inheritedBy({ coldPlug = [] }: QemuMachine, { connections }: StartOptions): Socket[] {
  return inheriting(coldPlug).map(({ vmmId }) => {
    const connection = connections?.get(vmmId);
    if (connection === undefined) throw new TypeError(`no connection for ${vmmId}`);
    return connection;
  });
}

async function endOf(child: ChildProcess, name: string, log: string): Promise<VmplugError> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(failed(name, error.message, error)));
    child.once('exit', (code, signal) => {
      resolve(failed(name, lastWords(log) ?? `it ended with ${signal ?? code}`));
    });
  });
}

function lastWords(log: string): string | undefined {
  try {
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    const last = lines.slice(-3).join('; ');
    return last === '' ? undefined : last;
  } catch {
    // Whoever stops a sandbox that is being started takes its directory away.
    return undefined;
  }
}

function failed(name: string, reason: string, cause?: unknown): VmplugError {
  return new VmplugError('start-failed', {
    action: 'start QEMU for',
    subject: name,
    reason,
    hint: 'nothing was left behind',
    ...(cause === undefined ? {} : { cause }),
  });
}
