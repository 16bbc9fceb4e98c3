import type { Command } from 'commander';
import { isOpen, planOf, type Finding } from '../manager/doctor/finding.ts';
import { stateDirectory } from '../sandbox/directories.ts';
import { common, timed, type TimedOptions } from './options.ts';
import { printFindings } from './doctor-output.ts';
import { printJson } from './output.ts';

interface DoctorFlags extends TimedOptions {
  readonly repair?: true;
}

/** `vmplug doctor` */
export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description(
      'compare what is wanted and recorded with what the VMs and this host have, and say what to do',
    )
    .option('--repair', 'do it, as far as it can be done from here; without it nothing is changed')
    .addHelpText('after', '\nExits with 1 when something is left to be mended.');
  timed(command, '5s', 'how long to wait for each VM');
  common(command).action(async (flags: DoctorFlags) => {
    const findings = await examineAll(flags);
    const ok = !findings.some(isOpen);
    if (!ok) process.exitCode = 1;
    if (flags.json !== true) return printFindings(findings, flags.repair ?? false);
    const [notes, off] = [true, undefined].map((isNote) => findings.filter((each) => each.isNote === isNote));
    printJson('doctor', { ok, findings: off, notes, plan: planOf(findings) });
  });
}

/** The state itself, and then what is in it; nothing of a damaged state is believed before it is restored. */
async function examineAll(flags: DoctorFlags): Promise<Finding[]> {
  const [{ Vmplug }, { examineState }] = await Promise.all([
    import('../manager/vmplug.ts'),
    import('../manager/state-repair.ts'),
  ]);
  const repair = flags.repair ?? false;
  const stateDir = stateDirectory(flags.stateDir);
  const ofState = examineState(stateDir, repair);
  const wasDamaged = ofState.some(({ problem }) => problem === 'state-damaged');
  if (wasDamaged && !repair) return ofState;
  await using vmplug = Vmplug.open({ stateDir });
  const limits = { repair, keepOrphans: wasDamaged, timeoutMs: flags.timeout };
  return [...ofState, ...(await vmplug.doctor(limits))];
}
