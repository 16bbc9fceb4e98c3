import type { Command } from 'commander';
import { common, timed, type TimedOptions } from './options.ts';
import { print, printJson } from './output.ts';

interface DoctorFlags extends TimedOptions {
  readonly repair?: true;
}

/** `vmplug doctor` */
export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description('compare the records with what the VMs have, and settle what is not known')
    .option('--repair', 'mend what is found');
  timed(command, '5s', 'how long to wait for each VM');
  common(command).action(async (flags: DoctorFlags) => {
    const { Vmplug } = await import('../manager/vmplug.ts');
    await using vmplug = Vmplug.open(flags.stateDir === undefined ? {} : { stateDir: flags.stateDir });
    const findings = await vmplug.doctor({ repair: flags.repair ?? false, timeoutMs: flags.timeout });
    const open = findings.filter(({ repaired }) => !repaired);
    if (open.length > 0) process.exitCode = 1;
    if (flags.json === true) {
      printJson('doctor', { ok: open.length === 0, findings });
      return;
    }
    if (findings.length === 0) print('all is well');
    for (const { sandbox, device, what, remedy, repaired } of findings) {
      print(
        `${repaired ? 'mended' : 'found '}  ${sandbox}${device === undefined ? '' : ` ${device}`}: ${what}`,
      );
      print(`        ${remedy}`);
    }
    if (open.length > 0 && flags.repair !== true) print('vmplug doctor --repair mends what can be mended');
  });
}
