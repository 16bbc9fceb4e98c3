import { rmSync } from 'node:fs';
import { VmplugError } from '../../api/errors.ts';
import type { ExchangeOptions, VmmFacts } from '../../api/hypervisor.ts';
import { spawnTied } from '../../host/tied-process.ts';
import { stoppedArguments, type MachineArguments } from './command-line.ts';
import { connectWhenUp } from './connect-when-up.ts';
import { checkProgram } from './programs.ts';

/**
 * Asks a QEMU what it can do with a machine that is yet to be started: starts one whose CPUs never
 * run, asks it, and ends it again. It ends with this process, whatever becomes of that. Takes some 0.2 s.
 * @throws VmplugError `missing-package`; `start-failed` with QEMU's own words; `deadline-passed`
 */
export async function probeMachine(
  vm: MachineArguments,
  options: ExchangeOptions & { readonly binary: string },
): Promise<VmmFacts> {
  checkProgram(options.binary, vm);
  const words: Buffer[] = [];
  const child = spawnTied(options.binary, stoppedArguments(vm), { stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr?.on('data', (bytes: Buffer) => words.push(bytes));
  const ended = new Promise<VmplugError>((resolve) => {
    child.once('error', (error) => resolve(notSpawned(vm.name, error)));
    child.once('close', (code, signal) => {
      const said = Buffer.concat(words).toString('utf8').trim();
      resolve(endedEarly(vm.name, said === '' ? `it ended with ${signal ?? code}` : said));
    });
  });
  try {
    await using hypervisor = await connectWhenUp(vm.qmpSocket, ended, options);
    return hypervisor.facts;
  } finally {
    child.kill('SIGKILL');
    await ended;
    rmSync(vm.qmpSocket, { force: true });
  }
}

function notSpawned(name: string, error: Error): VmplugError {
  const isMissing = 'code' in error && error.code === 'ENOENT';
  return isMissing ? withoutSetpriv('it is not installed', error) : failed(name, error.message);
}

/** busybox has a `setpriv` that knows no `--pdeathsig`, and says so; QEMU has no option of that name. */
function endedEarly(name: string, words: string): VmplugError {
  const refusal = words.split('\n').find((line) => /unrecognized option.*pdeathsig/.test(line));
  return refusal === undefined
    ? failed(name, words)
    : withoutSetpriv(`it is not the one of util-linux (${refusal})`, new Error(words));
}

function withoutSetpriv(reason: string, cause: Error): VmplugError {
  return new VmplugError('missing-package', {
    action: 'start',
    subject: 'setpriv',
    reason,
    hint: 'on Debian: apt-get install util-linux. QEMU is asked with it before a start with devices',
    cause,
  });
}

function failed(name: string, reason: string): VmplugError {
  return new VmplugError('start-failed', {
    action: 'start QEMU for',
    subject: name,
    reason,
    hint: 'nothing was left behind',
  });
}
