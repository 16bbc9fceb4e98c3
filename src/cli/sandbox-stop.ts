import type { Command } from 'commander';
import { common, timed, type TimedOptions } from './options.ts';
import { print, printJson } from './output.ts';

/** `vmplug sandbox stop` */
export function addSandboxStop(sandbox: Command): void {
  const command = sandbox
    .command('stop')
    .description('end a VM that vmplug started, and free all that its devices held')
    .argument('<name>');
  timed(command, '10s', 'how long to wait for its end');
  common(command).action(async (name: string, flags: TimedOptions) => {
    const { Vmplug } = await import('../manager/vmplug.ts');
    await using vmplug = Vmplug.open(flags.stateDir === undefined ? {} : { stateDir: flags.stateDir });
    await vmplug.stop(name, { timeoutMs: flags.timeout });
    if (flags.json === true) printJson('sandbox', { name, state: 'stopped' });
    else print(`${name}  stopped`);
  });
}
