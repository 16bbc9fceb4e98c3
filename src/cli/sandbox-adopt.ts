import type { Command } from 'commander';
import { VmplugError } from '../api/errors.ts';
import { common, interruptible, timed, type TimedOptions } from './options.ts';
import { print, printJson } from './output.ts';
import { sandboxDocument, vmmText } from './sandbox-document.ts';

interface AdoptFlags extends TimedOptions {
  readonly qmp?: string;
  readonly cloudHypervisor?: string;
  readonly firecracker?: string;
}

/** `vmplug sandbox adopt` */
export function addSandboxAdopt(sandbox: Command): void {
  const command = sandbox
    .command('adopt')
    .description('take up a running VM that somebody else started; it is not changed')
    .argument('<name>')
    .option('--qmp <socket>', 'the QMP socket of a QEMU')
    .option('--cloud-hypervisor <socket>', 'the API socket of a Cloud Hypervisor: not in this version')
    .option('--firecracker <socket>', 'the API socket of a Firecracker: not in this version');
  timed(command, '10s', 'how long to wait for the VMM');
  common(command).action(async (name: string, flags: AdoptFlags) => {
    const socket = qmpSocket(flags);
    const { Vmplug } = await import('../manager/vmplug.ts');
    await using vmplug = Vmplug.open(flags.stateDir === undefined ? {} : { stateDir: flags.stateDir });
    const record = await vmplug.adopt(name, socket, { timeoutMs: flags.timeout, signal: interruptible() });
    if (flags.json === true) printJson('sandbox', sandboxDocument(record));
    else print(`${name}  ${vmmText(record)}, adopted`);
  });
}

/** @throws VmplugError `invalid-argument`, `unsupported` */
function qmpSocket(flags: AdoptFlags): string {
  const given = [flags.qmp, flags.cloudHypervisor, flags.firecracker].filter((path) => path !== undefined);
  if (given.length !== 1) {
    throw new VmplugError('invalid-argument', {
      action: 'adopt with',
      subject: `${given.length} sockets`,
      reason: 'exactly one socket is needed',
      hint: 'for a QEMU: --qmp SOCKET',
    });
  }
  if (flags.qmp !== undefined) return flags.qmp;
  throw new VmplugError('unsupported', {
    action: 'adopt the VMM behind',
    subject: given[0] ?? '',
    reason: 'this version speaks to QEMU only',
    hint: 'use --qmp SOCKET with a QEMU',
  });
}
