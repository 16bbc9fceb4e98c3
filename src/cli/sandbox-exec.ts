import type { Command } from 'commander';
import { VmplugError } from '../api/errors.ts';
import { noSandbox, readListing } from '../manager/listing.ts';
import { stateDirectory } from '../sandbox/directories.ts';
import { common, interruptible, timed, type TimedOptions } from './options.ts';
import { printJson } from './output.ts';

/** `vmplug sandbox exec` */
export function addSandboxExec(sandbox: Command): void {
  const command = sandbox
    .command('exec')
    .description('run a command in a VM that vmplug runs with the lab guest')
    .argument('<name>')
    .argument('<command...>', 'after --')
    .addHelpText('after', '\nExits as the command did.');
  timed(command, '30s', 'how long the command may take');
  common(command).action(async (name: string, words: string[], flags: TimedOptions) => {
    const socket = execSocket(name, flags.stateDir);
    const { execInGuest } = await import('../../lab/guest/index.ts');
    const result = await execInGuest(socket, words, { timeoutMs: flags.timeout, signal: interruptible() });
    process.exitCode = result.exitCode;
    if (flags.json === true) {
      printJson('exec', {
        sandbox: name,
        exitCode: result.exitCode,
        stdout: result.stdout.toString('utf8'),
        stderr: result.stderr.toString('utf8'),
      });
      return;
    }
    process.stdout.write(result.stdout);
    process.stderr.write(result.stderr);
  });
}

/** @throws VmplugError `sandbox-not-found`, `unsupported` */
function execSocket(name: string, stateDir: string | undefined): string {
  const sandbox = readListing(stateDirectory(stateDir)).sandboxes.find((record) => record.name === name);
  if (sandbox === undefined) throw noSandbox(name);
  if (sandbox.execSocket === undefined) {
    throw new VmplugError('unsupported', {
      action: 'run a command in',
      subject: name,
      reason: 'its guest is not the lab guest, so there is nobody in it to ask',
      hint: 'sandboxes that `vmplug sandbox run` starts without --kernel have it',
    });
  }
  return sandbox.execSocket;
}
