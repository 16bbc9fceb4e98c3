import type { Command } from 'commander';
import { common, type CommonOptions } from './options.ts';
import { print, printJson } from './output.ts';

/** `vmplug sandbox forget` */
export function addSandboxForget(sandbox: Command): void {
  common(
    sandbox
      .command('forget')
      .description('remove a VM from the records; it is not touched')
      .argument('<name>'),
  ).action(async (name: string, flags: CommonOptions) => {
    const { Vmplug } = await import('../manager/vmplug.ts');
    await using vmplug = Vmplug.open(flags.stateDir === undefined ? {} : { stateDir: flags.stateDir });
    await vmplug.forget(name);
    if (flags.json === true) printJson('sandbox', { name, state: 'forgotten' });
    else print(`${name}  forgotten`);
  });
}
