import type { Command } from 'commander';
import { common, timed, type TimedOptions } from './options.ts';
import { print, printable, printJson } from './output.ts';

interface ForgetFlags extends TimedOptions {
  readonly force?: true;
}

/** `vmplug sandbox forget` */
export function addSandboxForget(sandbox: Command): void {
  const command = sandbox
    .command('forget')
    .description('remove a VM from the records; it is not touched')
    .argument('<name>')
    .option(
      '--force',
      'also a VM that cannot be reached and whose process is not known: what it held is free here, and it may still use it',
    );
  timed(command, '10s', 'with --force: how long to try to reach it');
  common(command).action(async (name: string, flags: ForgetFlags) => {
    const { Vmplug } = await import('../manager/vmplug.ts');
    await using vmplug = Vmplug.open(flags.stateDir === undefined ? {} : { stateDir: flags.stateDir });
    const left = await vmplug.forget(name, { force: flags.force === true, timeoutMs: flags.timeout });
    const mayBeInUse = left.map(({ id, source }) => ({ id, source }));
    if (flags.json === true) return printJson('sandbox', { name, state: 'forgotten', mayBeInUse });
    print(`${name}  forgotten`);
    for (const { id, source } of mayBeInUse) {
      print(`${id}  ${printable(source)} is free here; a VM that cannot be seen may still use it`);
    }
  });
}
